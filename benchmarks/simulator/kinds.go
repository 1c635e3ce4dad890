package simulator

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// Object is any built-in API object that k8s.io/api can encode as protobuf,
// for example *corev1.Pod.
type Object interface {
	runtime.Object
	metav1.Object
	Marshal() ([]byte, error)
	Unmarshal([]byte) error
	Reset()
}

// Kind is one resource that the cluster serves.
type Kind struct {
	schema.GroupVersionKind
	// Resource is the plural name in URLs, such as "pods".
	Resource string
	// Namespaced is false for cluster-scoped resources.
	Namespaced bool
}

func (k *Kind) typeMeta() metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: k.GroupVersion().String(), Kind: k.Kind}
}

// New returns an empty object of the kind.
func (k *Kind) New() (Object, error) {
	created, err := scheme.Scheme.New(k.GroupVersionKind)
	if err != nil {
		return nil, fmt.Errorf("new %s: %w", k.Kind, err)
	}
	obj, ok := created.(Object)
	if !ok {
		return nil, fmt.Errorf("new %s: %T has no protobuf encoding", k.Kind, created)
	}
	return obj, nil
}

// Kinds returns all kinds that a Cluster serves, in order of their groups.
func Kinds() []Kind {
	var kinds []Kind
	for _, api := range []struct {
		group, version      string
		namespaced, cluster []string
	}{
		{"", "v1", []string{
			"ConfigMap", "Endpoints", "LimitRange", "PersistentVolumeClaim", "Pod", "ReplicationController",
			"ResourceQuota", "Secret", "ServiceAccount", "Service",
		}, []string{"Namespace", "Node", "PersistentVolume"}},
		{"admissionregistration.k8s.io", "v1", nil, []string{
			"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration",
			"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration",
		}},
		{"apps", "v1", []string{"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"}, nil},
		{"autoscaling", "v2", []string{"HorizontalPodAutoscaler"}, nil},
		{"batch", "v1", []string{"CronJob", "Job"}, nil},
		{"certificates.k8s.io", "v1", nil, []string{"CertificateSigningRequest"}},
		{"coordination.k8s.io", "v1", []string{"Lease"}, nil},
		{"discovery.k8s.io", "v1", []string{"EndpointSlice"}, nil},
		{"networking.k8s.io", "v1", []string{"Ingress", "NetworkPolicy"}, []string{"IngressClass"}},
		{"node.k8s.io", "v1", nil, []string{"RuntimeClass"}},
		{"policy", "v1", []string{"PodDisruptionBudget"}, nil},
		{"rbac.authorization.k8s.io", "v1", []string{"RoleBinding", "Role"}, []string{"ClusterRoleBinding", "ClusterRole"}},
		{"resource.k8s.io", "v1", []string{"ResourceClaim"}, []string{"DeviceClass", "DeviceTaintRule", "ResourceSlice"}},
		{"scheduling.k8s.io", "v1", nil, []string{"PriorityClass"}},
		{"storage.k8s.io", "v1", nil, []string{
			"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass",
		}},
	} {
		for i, name := range slices.Concat(api.namespaced, api.cluster) {
			gvk := schema.GroupVersionKind{Group: api.group, Version: api.version, Kind: name}
			resource, _ := meta.UnsafeGuessKindToResource(gvk)
			namespaced := i < len(api.namespaced)
			kinds = append(kinds, Kind{GroupVersionKind: gvk, Resource: resource.Resource, Namespaced: namespaced})
		}
	}
	return kinds
}
