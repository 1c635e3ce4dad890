package simulator

import (
	"fmt"

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
	// Resource is the plural name in URLs, "pods".
	Resource string
	// Namespaced is false for resources of the cluster scope.
	Namespaced bool
}

func (k Kind) groupResource() schema.GroupResource {
	return schema.GroupResource{Group: k.Group, Resource: k.Resource}
}

// New returns an empty object of the kind.
func (k Kind) New() (Object, error) {
	made, err := scheme.Scheme.New(k.GroupVersionKind)
	if err != nil {
		return nil, fmt.Errorf("new %s: %w", k.Kind, err)
	}
	obj, ok := made.(Object)
	if !ok {
		return nil, fmt.Errorf("new %s: %T has no protobuf form", k.Kind, made)
	}
	return obj, nil
}

// Kinds lists every resource that a Cluster serves, by group, version and name.
func Kinds() []Kind {
	var kinds []Kind
	add := func(group, version string, namespaced bool, namesAndKinds ...string) {
		for i := 0; i+1 < len(namesAndKinds); i += 2 {
			gvk := schema.GroupVersionKind{Group: group, Version: version, Kind: namesAndKinds[i+1]}
			kinds = append(kinds, Kind{GroupVersionKind: gvk, Resource: namesAndKinds[i], Namespaced: namespaced})
		}
	}
	const cluster, namespaced = false, true
	add("", "v1", namespaced,
		"configmaps", "ConfigMap", "endpoints", "Endpoints", "limitranges", "LimitRange",
		"persistentvolumeclaims", "PersistentVolumeClaim", "pods", "Pod",
		"replicationcontrollers", "ReplicationController", "resourcequotas", "ResourceQuota",
		"secrets", "Secret", "serviceaccounts", "ServiceAccount", "services", "Service")
	add("", "v1", cluster, "namespaces", "Namespace", "nodes", "Node", "persistentvolumes", "PersistentVolume")
	add("admissionregistration.k8s.io", "v1", cluster,
		"mutatingadmissionpolicies", "MutatingAdmissionPolicy",
		"mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding",
		"mutatingwebhookconfigurations", "MutatingWebhookConfiguration",
		"validatingadmissionpolicies", "ValidatingAdmissionPolicy",
		"validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding",
		"validatingwebhookconfigurations", "ValidatingWebhookConfiguration")
	add("apps", "v1", namespaced, "daemonsets", "DaemonSet", "deployments", "Deployment",
		"replicasets", "ReplicaSet", "statefulsets", "StatefulSet")
	add("autoscaling", "v2", namespaced, "horizontalpodautoscalers", "HorizontalPodAutoscaler")
	add("batch", "v1", namespaced, "cronjobs", "CronJob", "jobs", "Job")
	add("certificates.k8s.io", "v1", cluster, "certificatesigningrequests", "CertificateSigningRequest")
	add("coordination.k8s.io", "v1", namespaced, "leases", "Lease")
	add("discovery.k8s.io", "v1", namespaced, "endpointslices", "EndpointSlice")
	add("networking.k8s.io", "v1", namespaced, "ingresses", "Ingress", "networkpolicies", "NetworkPolicy")
	add("networking.k8s.io", "v1", cluster, "ingressclasses", "IngressClass")
	add("policy", "v1", namespaced, "poddisruptionbudgets", "PodDisruptionBudget")
	add("rbac.authorization.k8s.io", "v1", namespaced, "rolebindings", "RoleBinding", "roles", "Role")
	add("rbac.authorization.k8s.io", "v1", cluster, "clusterrolebindings", "ClusterRoleBinding", "clusterroles", "ClusterRole")
	add("storage.k8s.io", "v1", cluster, "storageclasses", "StorageClass", "volumeattachments", "VolumeAttachment")
	return kinds
}
