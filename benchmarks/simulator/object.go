package simulator

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// object is one state of one API object. It never changes, so lists, watches
// and the event log share it without a lock.
type object struct {
	objectKey
	resourceVersion uint64
	uidHash         uint64 // FNV-1a 64, what shard ranges are over
	nodeName        string // spec.nodeName of a pod
	raw             []byte // protobuf of the object, without the envelope
}

// objectKey orders the objects of one resource as lists show them.
type objectKey struct {
	namespace, name string
}

func (k objectKey) compare(other objectKey) int {
	return cmp.Or(strings.Compare(k.namespace, other.namespace), strings.Compare(k.name, other.name))
}

func encodeObject(obj Object, resourceVersion uint64) (*object, error) {
	raw, err := obj.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode %T %s/%s: %w", obj, obj.GetNamespace(), obj.GetName(), err)
	}
	o := &object{
		objectKey:       objectKey{namespace: obj.GetNamespace(), name: obj.GetName()},
		resourceVersion: resourceVersion,
		uidHash:         hash64(string(obj.GetUID())),
		raw:             raw,
	}
	if pod, ok := obj.(*corev1.Pod); ok {
		o.nodeName = pod.Spec.NodeName
	}
	return o, nil
}

func (o *object) decode(kind Kind) (Object, error) {
	obj, err := kind.New()
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

// labels reads the labels out of the encoded object. Every built-in kind has
// its metadata in field 1, and PartialObjectMetadata has nothing else.
func (o *object) labels() (map[string]string, error) {
	var partial metav1.PartialObjectMetadata
	if err := partial.Unmarshal(o.raw); err != nil {
		return nil, fmt.Errorf("decode metadata of %s/%s: %w", o.namespace, o.name, err)
	}
	return partial.Labels, nil
}

func hash64(s string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, s) // a hash never fails
	return h.Sum64()
}
