package simulator

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/statefleet/statefleet/resources"
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

// Kinds returns all kinds that a Cluster serves: the built-in kinds of statefleet. They are in order
// of their groups, and within a group namespaced kinds come first.
func Kinds() []Kind {
	var kinds []Kind
	for _, k := range resources.All() {
		// The scheme has the names of kinds, and a test checks that it has every one.
		for name := range scheme.Scheme.KnownTypes(k.Resource.GroupVersion()) {
			gvk := k.Resource.GroupVersion().WithKind(name)
			if plural, _ := meta.UnsafeGuessKindToResource(gvk); plural == k.Resource {
				kinds = append(kinds, Kind{GroupVersionKind: gvk, Resource: k.Name(), Namespaced: k.Namespaced})
			}
		}
	}
	slices.SortStableFunc(kinds, func(a, b Kind) int { // those of one group are sorted by name already
		switch {
		case a.Group != b.Group:
			return strings.Compare(a.Group, b.Group)
		case a.Namespaced == b.Namespaced:
			return 0
		case a.Namespaced:
			return -1
		}
		return 1
	})
	return kinds
}
