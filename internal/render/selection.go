package render

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
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

// selects reports whether the flags and selectors that restrict a kind select an object.
func (o Options) selects(k *kind, object Object) bool {
	u := unstructured.Unstructured{Object: object.fields}
	if s := o.ObjectSelectors[k.name]; s != nil && !s.Matches(labels.Set(u.GetLabels())) {
		return false
	}
	if k.labels != nil && !k.labels.Matches(labels.Set(u.GetLabels())) || !matchesFields(k.fields, object) {
		return false
	}
	if k.resource != corev1.SchemeGroupVersion.WithResource("pods") || (o.Node == "" && !o.TrackUnscheduled) {
		return true
	}
	node, _, _ := unstructured.NestedString(object.fields, "spec", "nodeName")
	return node == o.Node // with TrackUnscheduled, Node is ""
}

// matchesFields reports whether a field selector selects an object. A field is read at the path that is
// its name. A missing one has the zero value, as on the API server: "", false or 0.
func matchesFields(s fields.Selector, object Object) bool {
	if s == nil {
		return true
	}
	for _, r := range s.Requirements() {
		got := ""
		value, found, err := unstructured.NestedFieldNoCopy(object.fields, strings.Split(r.Field, ".")...)
		if found && err == nil && value != nil {
			got = fmt.Sprint(value)
		}
		equal := got == r.Value || got == "" && (r.Value == "false" || r.Value == "0")
		if equal != (r.Operator != selection.NotEquals) {
			return false
		}
	}
	return true
}
