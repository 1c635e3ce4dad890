package fleet

import (
	"errors"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/internal/watch/objects"
)

// Client reads and writes the objects of the fleets in one namespace. It is safe for concurrent use.
type Client struct {
	StatefulSets objects.API[*appsv1.StatefulSet]
	ConfigMaps   objects.API[*corev1.ConfigMap]
	Pods         objects.API[*corev1.Pod]
}

// NewClient returns a Client for a namespace.
func NewClient(config *rest.Config, namespace string) (*Client, error) {
	of := func(version schema.GroupVersion, name string) objects.ClientOptions {
		return objects.ClientOptions{Resource: version.WithResource(name), Namespace: namespace, FieldManager: "statefleet"}
	}
	sets, errSets := objects.NewClient(
		config, &appsv1.StatefulSet{}, &appsv1.StatefulSetList{}, of(appsv1.SchemeGroupVersion, "statefulsets"))
	configMaps, errConfigMaps := objects.NewClient(
		config, &corev1.ConfigMap{}, &corev1.ConfigMapList{}, of(corev1.SchemeGroupVersion, "configmaps"))
	pods, errPods := objects.NewClient(
		config, &corev1.Pod{}, &corev1.PodList{}, of(corev1.SchemeGroupVersion, "pods"))
	return &Client{sets, configMaps, pods}, errors.Join(errSets, errConfigMaps, errPods)
}
