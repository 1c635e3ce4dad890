package simulator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// object is one state of one API object. It is immutable, so lists, watches and
// the event log share it without a lock. As a runtime.Object it is an item of a
// list, which has no type metadata of its own.
type object struct {
	objectKey
	kind            *Kind
	resourceVersion uint64
	uidHash         uint64 // FNV-1a 64, as shard ranges need it
	nodeName        string // spec.nodeName of a pod
	raw             []byte // the object in protobuf, without the envelope
}

// objectKey orders the objects of one resource in lists.
type objectKey struct {
	namespace, name string
}

func keyOf(obj metav1.Object) objectKey {
	return objectKey{namespace: obj.GetNamespace(), name: obj.GetName()}
}

func (k objectKey) compare(other objectKey) int {
	return cmp.Or(strings.Compare(k.namespace, other.namespace), strings.Compare(k.name, other.name))
}

// encodeObject sets obj's resourceVersion and encodes it.
func encodeObject(kind *Kind, obj Object, resourceVersion uint64) (*object, error) {
	obj.SetResourceVersion(formatVersion(resourceVersion))
	raw, err := obj.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode %T %s/%s: %w", obj, obj.GetNamespace(), obj.GetName(), err)
	}
	o := &object{
		objectKey:       keyOf(obj),
		kind:            kind,
		resourceVersion: resourceVersion,
		uidHash:         hash64(string(obj.GetUID())),
		raw:             raw,
	}
	if pod, ok := obj.(*corev1.Pod); ok {
		o.nodeName = pod.Spec.NodeName
	}
	return o, nil
}

func (o *object) decode() (Object, error) {
	obj, err := o.kind.New()
	if err != nil {
		return nil, err
	}
	return obj, o.decodeInto(obj)
}

func (o *object) decodeInto(obj Object) error {
	obj.Reset()
	if err := obj.Unmarshal(o.raw); err != nil {
		return fmt.Errorf("decode %T %s/%s: %w", obj, o.namespace, o.name, err)
	}
	return nil
}

// metadata decodes only the metadata: every built-in kind has it in field 1, and
// PartialObjectMetadata has no other field.
func (o *object) metadata() (*metav1.PartialObjectMetadata, error) {
	partial := &metav1.PartialObjectMetadata{}
	err := partial.Unmarshal(o.raw)
	if err != nil {
		err = fmt.Errorf("decode metadata of %s/%s: %w", o.namespace, o.name, err)
	}
	return partial, err
}

// GetObjectKind implements runtime.Object.
func (o *object) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject implements runtime.Object.
func (o *object) DeepCopyObject() runtime.Object { return o }

// Size returns the length of the result of Marshal. The protobuf serializer needs it.
func (o *object) Size() int { return len(o.raw) }

// Marshal returns the stored bytes, not a copy. The protobuf serializer copies them.
func (o *object) Marshal() ([]byte, error) { return o.raw, nil }

// MarshalJSON implements json.Marshaler.
func (o *object) MarshalJSON() ([]byte, error) { return o.json(schema.GroupVersionKind{}) }

func (o *object) json(gvk schema.GroupVersionKind) ([]byte, error) {
	obj, err := o.decode()
	if err != nil {
		return nil, err
	}
	obj.GetObjectKind().SetGroupVersionKind(gvk)
	return json.Marshal(obj)
}

// document is an object with its type metadata, for a get or a watch event.
type document struct{ *object }

// GetObjectKind implements runtime.Object.
func (d document) GetObjectKind() schema.ObjectKind { return new(d.kind.typeMeta()) }

// DeepCopyObject implements runtime.Object.
func (d document) DeepCopyObject() runtime.Object { return d }

// MarshalJSON implements json.Marshaler.
func (d document) MarshalJSON() ([]byte, error) { return d.json(d.kind.GroupVersionKind) }

// objectList has the field tags of the lists in k8s.io/api. The serializers
// recognize by them that they can stream it.
type objectList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`
	Items           []*object `json:"items" protobuf:"bytes,2,rep,name=items"`
}

// DeepCopyObject implements runtime.Object.
func (l *objectList) DeepCopyObject() runtime.Object { return l }

func hash64(s string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, s) // a hash never fails
	return h.Sum64()
}
