package customresource

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds on a configuration. The first keeps an error readable, the others keep
// YAML aliases from multiplying a small file into a large one.
const (
	maxFaults = 20
	maxFields = 1 << 18
	maxMerges = 16
)

// field is a part of the configuration and its place in it, such as
// spec.resources[2].metrics[0].name.
type field struct {
	node  *yaml.Node
	place string
	seen  *reading
}

// reading is what the fields of one configuration share.
type reading struct {
	strict   bool // what could be tolerated is a fault, too
	fields   int
	faults   []error
	warnings []string
	unsaid   int // warnings beyond maxFaults
}

func (r *reading) err() error { return errors.Join(r.faults...) }

// fail notes that the field is wrong. Reading goes on, so that all faults of a
// file are told at once.
func (f field) fail(format string, args ...any) {
	if len(f.seen.faults) < maxFaults {
		what := fmt.Errorf(format, args...)
		f.seen.faults = append(f.seen.faults, fmt.Errorf("%s: %w", f, what))
	}
}

// warn notes that the field is wrong in a way that kube-state-metrics tolerates, and
// what becomes of it. When reading is strict, that is a fault.
func (f field) warn(becomes, format string, args ...any) {
	if f.seen.strict {
		f.fail(format, args...)
		return
	}
	f.seen.note(fmt.Sprintf("%s: %s; %s", f, fmt.Sprintf(format, args...), becomes))
}

// note keeps a warning; those beyond maxFaults are only counted.
func (r *reading) note(warning string) {
	if len(r.warnings) == maxFaults {
		r.unsaid++
		return
	}
	r.warnings = append(r.warnings, warning)
}

// String returns the place for people to read, with its line.
func (f field) String() string {
	return fmt.Sprintf("%s (line %d)", cmp.Or(f.place, "the configuration"), f.node.Line)
}

func (f field) below(place string, node *yaml.Node) field {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return field{node: node, place: place, seen: f.seen}
}

// count reports whether the configuration may have one more field.
func (f field) count() bool {
	if f.seen.fields++; f.seen.fields == maxFields {
		f.fail("more than %d fields, aliases expanded", maxFields)
	}
	return f.seen.fields < maxFields
}

func (f field) isNull() bool {
	return f.node.Kind == 0 || f.node.Kind == yaml.ScalarNode && f.node.ShortTag() == "!!null"
}

// member is a member that an object of the configuration may have.
type member struct {
	name     string
	read     func(field)
	required bool
	without  string // what becomes of an object that should have the member and has not
}

func may(name string, read func(field)) member { return member{name: name, read: read} }
func must(name string, read func(field)) member {
	return member{name: name, read: read, required: true}
}

// should is a member that kube-state-metrics does not require, but that is
// probably missing by mistake.
func should(name, without string, read func(field)) member {
	return member{name: name, read: read, without: without}
}

// object reads the members of f in the order in which they are known, not in
// that of the file. A member that is null counts as absent. One that
// is required and absent is a fault; one that is not known is ignored with a warning.
func (f field) object(known ...member) {
	given, ok := f.members()
	if !ok {
		return
	}
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = k.name
		at := slices.IndexFunc(given, func(m named) bool { return m.name == k.name && !m.isNull() })
		switch {
		case at >= 0:
			k.read(given[at].field)
		case k.required:
			f.below(join(f.place, k.name), f.node).fail("missing")
		case k.without != "":
			f.below(join(f.place, k.name), f.node).warn(k.without, "missing")
		}
	}
	for _, m := range given {
		if !slices.Contains(names, m.name) {
			m.warn("it is ignored", "unknown field; known here are %s", strings.Join(names, ", "))
		}
	}
}

// named is a field with its name in the mapping that it belongs to.
type named struct {
	name string
	field
}

// members returns the members of a mapping, merge keys resolved.
func (f field) members() ([]named, bool) {
	if f.node.Kind != yaml.MappingNode {
		f.fail("a mapping is expected")
		return nil, false
	}
	var all []named
	f.merge(&all, map[string]bool{}, maxMerges)
	return all, true
}

// merge appends the members that are not taken yet, then those of the mappings
// that the merge key << names.
func (f field) merge(all *[]named, taken map[string]bool, depth int) {
	var merged []*yaml.Node
	own := map[string]bool{}
	for i := 0; i+1 < len(f.node.Content); i += 2 {
		key, value := f.below(f.place, f.node.Content[i]), f.node.Content[i+1]
		if !f.count() {
			return
		}
		if key.node.ShortTag() == "!!merge" {
			merged = append(merged, value)
			continue
		}
		if key.node.Kind != yaml.ScalarNode {
			key.fail("a name is expected as the key of a mapping")
			continue
		}
		name := key.node.Value
		m := named{name, f.below(join(f.place, name), value)}
		if own[name] {
			m.fail("stands there twice")
		}
		if own[name] = true; !taken[name] {
			taken[name] = true
			*all = append(*all, m)
		}
	}
	for _, node := range merged {
		f.mergeFrom(f.below(f.place, node), all, taken, depth)
	}
}

func (f field) mergeFrom(source field, all *[]named, taken map[string]bool, depth int) {
	switch {
	case depth == 0:
		f.fail("merge keys (<<) are nested too deep")
	case source.node.Kind == yaml.MappingNode:
		source.merge(all, taken, depth-1)
	case source.node.Kind == yaml.SequenceNode:
		for _, node := range source.node.Content {
			if source.count() {
				f.mergeFrom(f.below(f.place, node), all, taken, depth-1)
			}
		}
	default:
		f.fail("a merge key (<<) takes a mapping or a list of mappings")
	}
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// join returns the place of a member.
func join(place, name string) string {
	switch {
	case !plainName.MatchString(name):
		return place + "[" + strconv.Quote(name) + "]"
	case place == "":
		return name
	}
	return place + "." + name
}

// elements returns the elements of a list; none when f is null.
func (f field) elements() []field {
	if f.isNull() {
		return nil
	}
	if f.node.Kind != yaml.SequenceNode {
		f.fail("a list is expected")
		return nil
	}
	all := make([]field, 0, len(f.node.Content))
	for i, node := range f.node.Content {
		if !f.count() {
			return nil
		}
		all = append(all, f.below(f.place+"["+strconv.Itoa(i)+"]", node))
	}
	return all
}

// text returns a scalar as it is written, so that numbers and booleans need no quotes.
func (f field) text() string {
	if f.node.Kind != yaml.ScalarNode {
		f.fail("a text is expected")
		return ""
	}
	if f.isNull() {
		f.warn("it is taken as empty", "a text is expected, not null")
		return ""
	}
	return f.node.Value
}

// expected is text that should not be empty; without says what becomes of that.
func (f field) expected(without string) string {
	s := f.text()
	if s == "" && f.node.Kind == yaml.ScalarNode {
		f.warn(without, "must not be empty")
	}
	return s
}

// boolean also takes the words of YAML 1.1, as kube-state-metrics' reader does.
func (f field) boolean() bool {
	var b bool
	switch {
	case f.node.Kind != yaml.ScalarNode || f.node.Decode(&b) != nil:
		f.fail("true or false is expected")
	case f.node.ShortTag() != "!!bool":
		f.warn(fmt.Sprintf("it is taken as %t", b), "true or false is expected")
	}
	return b
}

// verbosity returns a log verbosity, as klog counts them.
func (f field) verbosity() int32 {
	var n int32
	switch {
	case f.node.Kind != yaml.ScalarNode || f.node.Decode(&n) != nil:
		f.fail("a whole number from 0 is expected")
		return 0
	case n < 0 || f.node.ShortTag() != "!!int":
		f.warn(fmt.Sprintf("it is taken as %d", n), "a whole number from 0 is expected")
	}
	return n
}

func (f field) texts() []string {
	var all []string
	for _, e := range f.elements() {
		all = append(all, e.text())
	}
	return all
}
