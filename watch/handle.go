package watch

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/internal/wire"
)

// Handle stands for an object in the reflector's hands: enough to tell which
// object it was, none of its content.
type Handle struct {
	Namespace, Name, UID, ResourceVersion string

	initialEventsEnd bool
}

// newHandle copies what it needs in one piece: a list makes one for each object.
func newHandle(m wire.Meta) *Handle {
	var stack [256]byte
	all := stack[:0]
	for _, part := range [][]byte{m.Namespace, m.Name, m.UID, m.ResourceVersion} {
		all = append(all, part...)
	}
	rest := string(all)
	next := func(part []byte) (text string) {
		text, rest = rest[:len(part)], rest[len(part):]
		return text
	}
	return &Handle{
		Namespace:       next(m.Namespace),
		Name:            next(m.Name),
		UID:             next(m.UID),
		ResourceVersion: next(m.ResourceVersion),
	}
}

// GetObjectMeta shows the handle to client-go as an object's metadata.
func (h *Handle) GetObjectMeta() metav1.Object {
	m := &metav1.ObjectMeta{Namespace: h.Namespace, Name: h.Name, UID: types.UID(h.UID), ResourceVersion: h.ResourceVersion}
	if h.initialEventsEnd {
		m.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
	}
	return m
}

// GetObjectKind implements runtime.Object; a handle has no kind of its own.
func (h *Handle) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object.
func (h *Handle) DeepCopyObject() runtime.Object {
	c := *h
	return &c
}

// handleList is a list, or a page of one, after its items went to the Sink.
type handleList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []*Handle
}

// DeepCopyObject implements runtime.Object.
func (l *handleList) DeepCopyObject() runtime.Object {
	c := *l
	c.Items = append([]*Handle(nil), l.Items...)
	return &c
}
