package render

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/statefleet/statefleet/resources/customresource"
)

// definitions stand in for the API server, which knows the plural and the scope of each kind.
type definitions []customresource.Definition

// newDefinitions returns the CustomResourceDefinitions of the input, and a guess for each other type
// of object: the usual plural, and the scope that follows from whether one of the objects has a namespace.
func newDefinitions(objects []Object) (all definitions) {
	for _, o := range objects {
		if o.GVK.GroupKind() == (schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}) {
			all = append(all, define(o.fields))
		}
	}
	var guesses definitions
	for _, o := range objects {
		if all.find(o.GVK) != nil {
			continue
		}
		guess := guesses.find(o.GVK)
		if guess == nil {
			guesses = append(guesses, customresource.Definition{
				Group: o.GVK.Group, Kind: o.GVK.Kind, Plural: customresource.UsualPlural(o.GVK.Kind), Versions: []string{o.GVK.Version},
			})
			guess = &guesses[len(guesses)-1]
		}
		guess.Namespaced = guess.Namespaced || o.Namespace != ""
	}
	return append(all, guesses...)
}

// define reads a CustomResourceDefinition. Missing fields are "".
func define(fields map[string]any) (d customresource.Definition) {
	text := func(from map[string]any, path ...string) string {
		s, _, _ := unstructured.NestedString(from, path...)
		return s
	}
	d = customresource.Definition{
		Group: text(fields, "spec", "group"), Kind: text(fields, "spec", "names", "kind"),
		Plural: text(fields, "spec", "names", "plural"), Namespaced: text(fields, "spec", "scope") == "Namespaced",
	}
	versions, _, _ := unstructured.NestedSlice(fields, "spec", "versions")
	for _, v := range versions {
		if v, ok := v.(map[string]any); ok && v["served"] == true {
			d.Versions = append(d.Versions, text(v, "name"))
		}
	}
	return d
}

// find returns the definition of a type, or nil.
func (all definitions) find(gvk schema.GroupVersionKind) *customresource.Definition {
	for i := range all {
		if d := &all[i]; d.Group == gvk.Group && d.Kind == gvk.Kind && slices.Contains(d.Versions, gvk.Version) {
			return d
		}
	}
	return nil
}

// resource returns the API resource of a type of object.
func (all definitions) resource(gvk schema.GroupVersionKind) schema.GroupVersionResource {
	if d := all.find(gvk); d != nil {
		return gvk.GroupVersion().WithResource(d.Plural)
	}
	return schema.GroupVersionResource{}
}
