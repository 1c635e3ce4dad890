package resources

import (
	"fmt"
	"reflect"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/statefleet/statefleet/internal/wire"
)

// Kind is one kind of API object and its metric families. Kinds are immutable and safe for
// concurrent use.
type Kind struct {
	// Resource is the API resource that is listed and watched; its plural names the kind in flags
	// and self-metrics.
	Resource schema.GroupVersionResource
	// Namespaced kinds are restricted by the namespace filters.
	Namespaced bool
	// Default kinds are exported when no resources are named.
	Default bool

	families []Family
	renderer func(k Kind, f Filter) (*Renderer, error)
}

// Name returns the plural that names the kind in flags, such as "pods".
func (k Kind) Name() string { return k.Resource.Resource }

// Families returns all families of the kind, those that a filter may leave out included, in the
// order of the page.
func (k Kind) Families() []Family { return k.families }

// Renderer returns the renderer of the families that f selects. It fails only when the kind's own
// declaration is wrong, which a test excludes.
func (k Kind) Renderer(f Filter) (*Renderer, error) { return k.renderer(k, f) }

// object is what a generated API type offers to be decoded and identified.
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

// definition declares a kind. It is what a kind's file consists of.
type definition[T any] struct {
	resource schema.GroupVersionResource
	optional bool // not among the default resources
	identity identity[T]
	// reads names the fields that the families read, as JSON paths separated by white space; a path
	// stands for all below it. Every other field is cut from the raw bytes before they are decoded.
	// Of metadata, all but labels, annotations and managedFields is always there; labels and
	// annotations are there when a labels or annotations family is enabled, or when named here.
	reads string
	// form is the part of the objects that may be asked for where they hold values that must not be
	// sent at all; the zero value asks for whole objects. Its column is asked for when an enabled
	// family reads its field.
	form wire.Form
	// reuse, when set, empties an object that is done with but keeps the memory of its lists for
	// the next one to be decoded. It is worth its lines where objects are many and their lists
	// large.
	reuse    func(o *T)
	families []family[T]
}

// truncated returns a list without elements that keeps its memory and nothing that its elements
// referred to.
func truncated[E any](list []E) []E {
	clear(list)
	return list[:0]
}

// NewKind makes a kind of a definition.
func NewKind[T any, P object[T]](d definition[T]) Kind {
	k := Kind{Resource: d.resource, Namespaced: d.identity.namespaced, Default: !d.optional}
	for _, f := range d.families {
		k.families = append(k.families, f.Family)
	}
	k.renderer = func(k Kind, f Filter) (*Renderer, error) { return newRenderer[T, P](k, d, f) }
	return k
}

// alwaysRead are the metadata fields that identify an object or that families of every kind read.
const alwaysRead = `metadata.name metadata.namespace metadata.uid metadata.resourceVersion metadata.generation
	metadata.creationTimestamp metadata.deletionTimestamp
	metadata.ownerReferences.kind metadata.ownerReferences.name metadata.ownerReferences.controller`

// mask compiles the fields that are kept.
func mask[T any](reads []string) (*wire.Mask, error) {
	return wire.NewMask(reflect.TypeFor[T](), reads, wire.ExcludeKey("metadata.annotations", lastApplied))
}

// formFor returns what to ask an API server for, so that it sends these fields. It is an error if a
// kind of which only a part may be asked for reads more than that.
func formFor(declared wire.Form, reads []string) (wire.Form, error) {
	asked := declared
	asked.Column, asked.Field = "", ""
	for _, path := range reads {
		switch {
		case !declared.Metadata, strings.HasPrefix(path, "metadata."):
		case path == declared.Field:
			asked = declared
		default:
			return asked, fmt.Errorf("a family reads %s, which must not be asked for", path)
		}
	}
	return asked, nil
}
