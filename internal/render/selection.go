package render

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// namespaceFilter reports for each namespace whether its objects are rendered.
func (o Options) namespaceFilter(objects []Object) func(namespace string) bool {
	matching := map[string]bool{}
	for _, object := range objects {
		if object.GVK.GroupKind() == (schema.GroupKind{Kind: "Namespace"}) {
			u := unstructured.Unstructured{Object: object.fields}
			matching[object.Name] = o.NamespaceSelector == nil || o.NamespaceSelector.Matches(labels.Set(u.GetLabels()))
		}
	}
	return func(namespace string) bool {
		return (len(o.Namespaces) == 0 || slices.Contains(o.Namespaces, namespace)) &&
			!slices.Contains(o.NamespacesDenied, namespace) &&
			(o.NamespaceSelector == nil || matching[namespace])
	}
}

// selectsPod reports whether an object is no pod, or one that --node and --track-unscheduled-pods
// select.
func (o Options) selectsPod(k *kind, object Object) bool {
	if k.custom || k.name != "pods" || (o.Node == "" && !o.TrackUnscheduled) {
		return true
	}
	node, _, _ := unstructured.NestedString(object.fields, "spec", "nodeName")
	return node == o.Node // with TrackUnscheduled, Node is ""
}
