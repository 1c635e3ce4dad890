package render

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources/customresource"
)

// definitions stand in for the API server, which knows the plural and the scope of each kind.
type definitions []customresource.Definition

// newDefinitions returns the CustomResourceDefinitions of the input, and a guess for each other type
// of object: the usual plural, and the scope that follows from whether one of the objects has a namespace.
func newDefinitions(objects []Object) (all definitions) {
	for _, o := range objects {
		if o.GVK.GroupKind() == (schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}) {
			d, _ := customresource.ReadDefinition(wire.JSON, o.raw) // of an invalid one, what can be read
			all = append(all, d)
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
