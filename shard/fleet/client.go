package fleet

import (
	"errors"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/internal/watch/objects"
)

const fieldManager = "statefleet"

// Client reads and writes the objects of the fleets in one namespace. It is safe for concurrent use.
type Client struct {
	StatefulSets objects.API[*appsv1.StatefulSet]
	ConfigMaps   objects.API[*corev1.ConfigMap]
	Pods         objects.API[*corev1.Pod]
}

// NewClient returns a Client for a namespace.
func NewClient(config *rest.Config, namespace string) (*Client, error) {
	sets, errSets := objects.NewClient(config, &appsv1.StatefulSet{}, &appsv1.StatefulSetList{}, objects.ClientOptions{
		Resource: appsv1.SchemeGroupVersion.WithResource("statefulsets"), Namespace: namespace,
	})
	configMaps, errConfigMaps := objects.NewClient(config, &corev1.ConfigMap{}, &corev1.ConfigMapList{}, objects.ClientOptions{
		Resource: corev1.SchemeGroupVersion.WithResource("configmaps"), Namespace: namespace, FieldManager: fieldManager,
	})
	pods, errPods := objects.NewClient(config, &corev1.Pod{}, &corev1.PodList{}, objects.ClientOptions{
		Resource: corev1.SchemeGroupVersion.WithResource("pods"), Namespace: namespace,
	})
	return &Client{sets, configMaps, pods}, errors.Join(errSets, errConfigMaps, errPods)
}
