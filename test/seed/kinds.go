package seed

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Kinds are the kinds of which All creates objects, sorted by group and resource.
func Kinds() []schema.GroupVersionResource {
	return slices.Concat(
		kinds("", "v1", "limitranges", "namespaces", "nodes", "persistentvolumeclaims", "pods", "replicationcontrollers",
			"resourcequotas", "services"),
		kinds("apps", "v1", "daemonsets", "deployments", "replicasets", "statefulsets"),
		kinds("autoscaling", "v2", "horizontalpodautoscalers"),
		kinds("batch", "v1", "cronjobs", "jobs"),
	)
}

func kinds(group, version string, resources ...string) []schema.GroupVersionResource {
	out := make([]schema.GroupVersionResource, 0, len(resources))
	for _, resource := range resources {
		out = append(out, schema.GroupVersionResource{Group: group, Version: version, Resource: resource})
	}
	return out
}
