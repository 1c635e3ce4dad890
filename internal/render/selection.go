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

// selects reports whether the flags that restrict a kind select an object.
func (o Options) selects(k *kind, object Object) bool {
	u := unstructured.Unstructured{Object: object.fields}
	if s := o.ObjectSelectors[k.name]; s != nil && !s.Matches(labels.Set(u.GetLabels())) {
		return false
	}
	if k.custom || k.name != "pods" || (o.Node == "" && !o.TrackUnscheduled) {
		return true
	}
	node, _, _ := unstructured.NestedString(object.fields, "spec", "nodeName")
	return node == o.Node // with TrackUnscheduled, Node is ""
}
