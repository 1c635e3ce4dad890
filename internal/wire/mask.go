package wire

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Mask names the fields of an API type that are kept; all others are cut from
// an object's bytes. It is built from the Go type, whose struct tags name each
// field in both encodings, so one list of JSON paths serves for both. A Mask is
// immutable and safe for concurrent use.
type Mask struct{ root *node }

// node is a message of which some fields are kept.
type node struct {
	all          bool // everything below is kept
	byNumber     []*node
	byName       map[string]*node
	excludedKeys map[string]bool // of a map of strings
}

// Option changes a Mask.
type Option struct{ path, key string }

// ExcludeKey cuts one entry of a map of strings, such as an annotation. It has an effect
// only if a path of the mask names the map itself.
func ExcludeKey(path, key string) Option { return Option{path, key} }

// NewMask returns a mask for a struct type of the API. paths are the JSON paths
// of the fields to keep, such as "spec.containers.name". A path keeps
// everything below it, and applies to every element of a list. It is an error
// if the type does not have one of the paths.
func NewMask(t reflect.Type, paths []string, options ...Option) (*Mask, error) {
	m := &Mask{root: newNode()}
	for _, p := range paths {
		if err := m.root.addPath(t, strings.Split(p, ".")); err != nil {
			return nil, fmt.Errorf("field %s: %w", p, err)
		}
	}
	for _, o := range options {
		if n := m.root.lookup(strings.Split(o.path, ".")); n != nil {
			if n.excludedKeys == nil {
				n.excludedKeys = map[string]bool{}
			}
			n.excludedKeys[o.key] = true
		}
	}
	return m, nil
}

func newNode() *node { return &node{byName: map[string]*node{}} }

// addPath adds a path below n, which is the node of type t.
func (n *node) addPath(t reflect.Type, path []string) error {
	if len(path) == 0 {
		n.all = true
		return nil
	}
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return fmt.Errorf("%s has no fields", t)
	}
	step, err := findField(t, path[0])
	if err != nil {
		return err
	}
	at := n
	for _, number := range step.numbers {
		at = at.child(number)
	}
	// An inlined struct is a level of its own in protobuf, but not in JSON. Both
	// paths lead to the same node.
	if named := n.byName[path[0]]; named == nil {
		n.byName[path[0]] = at
	}
	return at.addPath(step.fieldType, path[1:])
}

func (n *node) child(number int) *node {
	for len(n.byNumber) <= number {
		n.byNumber = append(n.byNumber, nil)
	}
	if n.byNumber[number] == nil {
		n.byNumber[number] = newNode()
	}
	return n.byNumber[number]
}

func (n *node) lookup(path []string) *node {
	for _, name := range path {
		if n = n.byName[name]; n == nil {
			return nil
		}
	}
	return n
}

// fieldPath is the path from a struct to one of its fields: the protobuf numbers
// (more than one if it leads through inlined structs) and the field's type.
type fieldPath struct {
	numbers   []int
	fieldType reflect.Type
}

func findField(t reflect.Type, name string) (fieldPath, error) {
	for i := range t.NumField() {
		f := t.Field(i)
		jsonName, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		inline := f.Anonymous && jsonName == ""
		if jsonName != name && !inline {
			continue
		}
		number, ok := protobufNumber(f.Tag.Get("protobuf"))
		if jsonName == name {
			if !ok {
				return fieldPath{}, fmt.Errorf("%s.%s has no protobuf number", t, f.Name)
			}
			return fieldPath{[]int{number}, f.Type}, nil
		}
		inner, err := findField(f.Type, name)
		if err != nil || !ok {
			continue
		}
		return fieldPath{append([]int{number}, inner.numbers...), inner.fieldType}, nil
	}
	return fieldPath{}, fmt.Errorf("%s has no field %q", t, name)
}

// protobufNumber reads the number from a struct tag, such as "bytes,3,opt,name=x".
func protobufNumber(tag string) (int, bool) {
	parts := strings.Split(tag, ",")
	if len(parts) < 2 {
		return 0, false
	}
	n, err := strconv.Atoi(parts[1])
	return n, err == nil && n > 0
}

// Append appends to dst the parts of an object that the mask keeps. For
// Protobuf, object is the message inside the envelope. The result decodes to the
// same object with the other fields unset. dst must not overlap object.
func (m *Mask) Append(dst []byte, enc Encoding, object []byte) ([]byte, error) {
	if enc == JSON {
		return m.root.appendJSON(dst, object)
	}
	return m.root.appendProtobuf(dst, object)
}

// Fields of a protobuf map entry.
const (
	mapKey   = 1
	mapValue = 2
)

func (n *node) appendProtobuf(dst, b []byte) ([]byte, error) {
	for len(b) > 0 {
		f, err := nextField(b)
		if err != nil {
			return dst, err
		}
		var child *node
		if f.number < uint64(len(n.byNumber)) {
			child = n.byNumber[f.number]
		}
		switch {
		case child == nil:
		case child.all || f.wireType != wireBytes:
			cut, err := child.excludesEntry(f)
			if err != nil {
				return dst, err
			}
			if !cut {
				dst = append(dst, b[:f.size]...)
			}
		default:
			if dst, err = child.appendMessage(dst, b[:f.head], f.value); err != nil {
				return dst, err
			}
		}
		b = b[f.size:]
	}
	return dst, nil
}

// excludesEntry reports whether the field is a map entry with an excluded key.
func (n *node) excludesEntry(f field) (bool, error) {
	if n.excludedKeys == nil || f.wireType != wireBytes {
		return false, nil
	}
	key, err := messageField(f.value, mapKey)
	return n.excludedKeys[string(key)], err
}

// appendMessage appends the tag, the new length and the kept fields of a
// message. The length is padded to as many bytes as the old one had: decoders
// accept that, and no bytes have to be moved.
func (n *node) appendMessage(dst, head, value []byte) ([]byte, error) {
	tag := 0
	for head[tag] >= 0x80 {
		tag++
	}
	dst = append(dst, head...)
	at := len(dst)
	dst, err := n.appendProtobuf(dst, value)
	if err != nil {
		return dst, err
	}
	length := dst[at-len(head)+tag+1 : at]
	putPadded(length, uint64(len(dst)-at))
	return dst, nil
}

// putPadded writes v as a varint that fills b.
func putPadded(b []byte, v uint64) {
	n := binary.PutUvarint(b[:min(len(b), binary.MaxVarintLen64)], v)
	if n == len(b) {
		return
	}
	b[n-1] |= 0x80
	for i := n; i < len(b)-1; i++ {
		b[i] = 0x80
	}
	b[len(b)-1] = 0
}
