package wire

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Mask says which fields of an API type are kept when an object's bytes are cut
// down. It is made from the Go type, whose struct tags name each field in both
// encodings, so that one list of JSON paths serves for both. Masks are
// immutable and safe for concurrent use.
type Mask struct{ root *node }

// node is a message of which some fields are kept.
type node struct {
	all      bool // everything below is kept
	byNumber []*node
	byName   map[string]*node
	without  map[string]bool // for a map of strings: the keys that are cut
}

// Option changes a Mask.
type Option struct{ path, key string }

// ExcludeKey cuts one entry of a map of strings, such as an annotation, when a path
// of the mask names the map.
func ExcludeKey(path, key string) Option { return Option{path, key} }

// NewMask makes a mask of a struct type of the API and the JSON paths of the
// fields to keep, such as "spec.containers.name"; a path keeps everything
// below it, and steps over lists as if they were single. A path that the type
// does not have is an error.
func NewMask(t reflect.Type, paths []string, options ...Option) (*Mask, error) {
	m := &Mask{root: newNode()}
	for _, p := range paths {
		if err := m.root.addPath(t, strings.Split(p, ".")); err != nil {
			return nil, fmt.Errorf("field %s: %w", p, err)
		}
	}
	for _, o := range options {
		if n := m.root.lookup(strings.Split(o.path, ".")); n != nil {
			if n.without == nil {
				n.without = map[string]bool{}
			}
			n.without[o.key] = true
		}
	}
	return m, nil
}

func newNode() *node { return &node{byName: map[string]*node{}} }

// addPath adds the path below n, which stands for type t.
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
	// An inlined struct is a level of its own in protobuf and none in JSON; the
	// node that both lead to is the same.
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

// fieldPath is the way from a struct to one of its fields: the protobuf numbers on
// it (more than one when it leads through inlined structs) and the field's type.
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

// protobufNumber reads the tag that the API types carry: "bytes,3,opt,name=x".
func protobufNumber(tag string) (int, bool) {
	parts := strings.Split(tag, ",")
	if len(parts) < 2 {
		return 0, false
	}
	n, err := strconv.Atoi(parts[1])
	return n, err == nil && n > 0
}

// Append appends to dst what the mask keeps of an object: for Protobuf of the
// message inside the envelope. The result decodes to the same object with the
// other fields unset. dst must not overlap object.
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
		case child.all || f.kind != wireBytes:
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

// excludesEntry reports whether the field is a map entry whose key is cut.
func (n *node) excludesEntry(f field) (bool, error) {
	if n.without == nil || f.kind != wireBytes {
		return false, nil
	}
	key, err := messageField(f.value, mapKey)
	return n.without[string(key)], err
}

// appendMessage appends a cut-down message behind its tag and its new length.
// The length is written in as many bytes as the old one had, padded if need be:
// decoders accept that, and nothing has to be moved.
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
