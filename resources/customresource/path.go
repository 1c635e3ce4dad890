package customresource

import (
	"fmt"
	"strconv"
	"strings"
)

// lastApplied is the annotation in which kubectl stores the whole object as it was applied, including secrets. [decode]
// omits it at every depth, and a path that names it is rejected.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// path leads from a value of an object to one below it. It is immutable.
type path []segment

type segmentKind uint8

const (
	// byName selects a member of an object, or an element of a list by its index.
	byName segmentKind = iota
	// byElement selects the first element of a list whose member equals a value.
	byElement
	// byMatch selects a member of an object if it is a text that equals a value, else the member whose name is the
	// whole step.
	byMatch
)

// segment is one step of a path.
type segment struct {
	kind     segmentKind
	step     string // as it is written
	name     string // of the member
	index    int    // of an element, counted from the end if negative
	isIndex  bool   // the name is a number
	want     string // the value that a lookup compares with
	number   float64
	isNumber bool // want can be read as a number
}

// newSegment reads one step of a path. Brackets that are not closed are part of a name.
func newSegment(s string) (segment, error) {
	isLookup := len(s) > 1 && s[0] == '[' && s[len(s)-1] == ']'
	inner := s
	if isLookup {
		inner = s[1 : len(s)-1]
	}
	name, want, isMatch := strings.Cut(inner, "=")
	switch {
	case name == lastApplied:
		return segment{}, fmt.Errorf("%q: the annotation %s holds the whole object, secrets included; it is never exported",
			s, lastApplied)
	case isLookup && !isMatch:
		return segment{}, fmt.Errorf("%q: a lookup is written [key=value]; an index has no brackets", s)
	case isLookup:
		number, isNumber := textFloat(want)
		return segment{kind: byElement, step: s, name: name, want: want, number: number, isNumber: isNumber}, nil
	case isMatch && !strings.Contains(want, "="):
		return segment{kind: byMatch, step: s, name: name, want: want}, nil
	}
	index, err := strconv.Atoi(s)
	return segment{kind: byName, step: s, name: s, index: index, isIndex: err == nil}, nil
}

// doubt returns why a valid step is probably a mistake, or "" if it is not.
func (s segment) doubt() string {
	switch {
	case s.kind != byElement && strings.HasPrefix(s.step, "["):
		return "a lookup is written [key=value]; the closing bracket is missing"
	case s.kind != byName && s.name == "":
		return "the key before = is missing"
	}
	return ""
}

// String returns the steps separated by dots, for messages, such as spec.size.
func (p path) String() string {
	steps := make([]string, len(p))
	for i, s := range p {
		steps[i] = s.step
	}
	return strings.Join(steps, ".")
}

// get returns the value that p leads to from v, or nil if there is none.
func (p path) get(v *value) *value {
	for i := range p {
		if v = p[i].get(v); v == nil {
			return nil
		}
	}
	return v
}

func (s *segment) get(v *value) *value {
	switch {
	case v.isObject() && s.kind == byName:
		return v.member(s.name)
	case v.isObject() && s.kind == byMatch:
		if m := v.member(s.name); m != nil && m.kind == textValue && m.text == s.want {
			return m
		}
		return v.member(s.step)
	case v.isList() && s.kind == byName && s.isIndex:
		return v.element(s.index)
	case v.isList() && s.kind == byElement:
		for i := range v.items {
			e := &v.items[i].value
			if e.isObject() && s.equals(e.member(s.name)) {
				return e
			}
		}
	}
	return nil
}

// equals reports whether v is the wanted text, number or boolean. So true matches "True" and 1 matches "1.0".
func (s *segment) equals(v *value) bool {
	switch {
	case v.isNull():
		return false
	case v.kind == textValue && v.text == s.want:
		return true
	case v.kind == boolValue && !s.isNumber: // such as t
		b, err := strconv.ParseBool(s.want)
		return err == nil && b == (v.text == "true")
	}
	f, ok := v.float()
	return s.isNumber && ok && f == s.number
}
