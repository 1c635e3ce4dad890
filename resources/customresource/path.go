package customresource

import (
	"fmt"
	"strconv"
	"strings"
)

// path leads from a value of an object to one below it. It is immutable.
type path []segment

type segmentKind uint8

const (
	// byName takes a member of an object, or an element of a list by its index.
	byName segmentKind = iota
	// byElement takes the first element of a list whose member equals a value.
	byElement
	// byMatch takes a member of an object if it equals a value.
	byMatch
)

// segment is one step of a path.
type segment struct {
	kind    segmentKind
	name    string
	index   int  // of an element, counted from the end when negative
	isIndex bool // the name is a number
	want    string
}

// newSegment reads one step of a path.
func newSegment(s string) (segment, error) {
	inner, isLookup := strings.CutPrefix(s, "[")
	if isLookup {
		var closed bool
		if inner, closed = strings.CutSuffix(inner, "]"); !closed {
			return segment{}, fmt.Errorf("%q: a lookup is written [key=value]; the closing bracket is missing", s)
		}
	}
	name, want, isMatch := strings.Cut(inner, "=")
	switch {
	case isLookup && !isMatch:
		return segment{}, fmt.Errorf("%q: a lookup is written [key=value]; an index has no brackets", s)
	case isMatch && name == "":
		return segment{}, fmt.Errorf("%q: the key before = is missing", s)
	case isLookup:
		return segment{kind: byElement, name: name, want: want}, nil
	case isMatch:
		return segment{kind: byMatch, name: name, want: want}, nil
	}
	index, err := strconv.Atoi(s)
	return segment{kind: byName, name: s, index: index, isIndex: err == nil}, nil
}

// get returns the value that p leads to from v; nil when there is none.
func (p path) get(v *value) *value {
	for _, s := range p {
		if v = s.get(v); v == nil {
			return nil
		}
	}
	return v
}

func (s segment) get(v *value) *value {
	switch {
	case v.isObject() && s.kind == byName:
		return v.member(s.name)
	case v.isObject() && s.kind == byMatch:
		if m := v.member(s.name); m.equals(s.want) {
			return m
		}
	case v.isList() && s.kind == byName && s.isIndex:
		return v.element(s.index)
	case v.isList() && s.kind == byElement:
		for i := range v.items {
			e := &v.items[i].value
			if e.isObject() && e.member(s.name).equals(s.want) {
				return e
			}
		}
	}
	return nil
}
