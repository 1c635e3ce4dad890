package resources

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/statefleet/statefleet/internal/wire"
)

// Kind is one kind of API object and its metric families. A Kind is immutable and safe for concurrent use.
type Kind struct {
	// Resource is the API resource that is listed and watched; its plural names the kind in flags
	// and self-metrics.
	Resource schema.GroupVersionResource
	// Namespaced is set if the objects belong to namespaces. The namespace filters restrict such kinds.
	Namespaced bool
	// Default is set if the kind is exported when --resources is not given.
	Default bool

	families []Family
	renderer func(f Filter) (*Renderer, error)
}

// Name returns the plural that names the kind in flags, such as "pods".
func (k Kind) Name() string { return k.Resource.Resource }

// Families returns all families of the kind in the order of the exposition, including those that a filter may leave
// out.
func (k Kind) Families() []Family { return k.families }

// Renderer returns the renderer of the families that f selects. It fails only if the declaration of the kind is
// invalid, which a test rules out.
func (k Kind) Renderer(f Filter) (*Renderer, error) { return k.renderer(f) }

// object is the interface of generated API types.
type object[T any] interface {
	*T
	metav1.Object
	Unmarshal(data []byte) error
}

// identity sets the labels that every sample of an object carries.
type identity[T any] struct {
	namespaced bool // the objects belong to namespaces
	set        func(o *T, w *SampleWriter)
}

// definition declares a kind. Each kind has a file with its definition.
type definition[T any] struct {
	resource schema.GroupVersionResource
	optional bool // not among the default resources
	identity identity[T]
	// reads names the fields that the families read, as JSON paths separated by white space. A path includes everything
	// below it. All other fields are cut from the raw bytes before they are decoded. Of metadata, the fields in
	// alwaysRead are always kept. Labels and annotations are kept if a family that exports them is enabled, or if they
	// are named here.
	reads string
	// form is the part of the objects that may be requested, for kinds with values that must not be sent at all. The
	// zero value requests whole objects. The column is requested only if an enabled family reads its field.
	form wire.Form
	// reuse, if set, empties an object but keeps the memory of its lists for the next one. It is worthwhile for kinds
	// with many objects and large lists.
	reuse    func(o *T)
	families []family[T]
}

// truncated returns the list with length 0. It clears the elements, so that the memory refers to nothing.
func truncated[E any](list []E) []E {
	clear(list)
	return list[:0]
}

// NewKind returns the kind of a definition.
func NewKind[T any, P object[T]](d definition[T]) Kind {
	k := Kind{Resource: d.resource, Namespaced: d.identity.namespaced, Default: !d.optional}
	for _, f := range d.families {
		k.families = append(k.families, f.Family)
	}
	k.renderer = func(f Filter) (*Renderer, error) { return newRenderer[T, P](d, f) }
	return k
}

// alwaysRead are the metadata fields that identify an object or that families of every kind read.
const alwaysRead = `metadata.name metadata.namespace metadata.uid metadata.resourceVersion metadata.generation
	metadata.creationTimestamp metadata.deletionTimestamp
	metadata.ownerReferences.kind metadata.ownerReferences.name metadata.ownerReferences.controller`

// formFor returns the form to request from an API server so that it sends the given fields. It is an error if the
// declared form forbids one of them.
func formFor(declared wire.Form, reads []string) (wire.Form, error) {
	requested := declared
	requested.Column, requested.Field = "", ""
	for _, path := range reads {
		switch {
		case !declared.Metadata, strings.HasPrefix(path, "metadata."):
		case path == declared.Field:
			requested = declared
		default:
			return requested, fmt.Errorf("a family reads %s, which must not be requested", path)
		}
	}
	return requested, nil
}
