package customresource

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Limits of a configuration. maxFaults keeps an error readable. maxFields keeps YAML aliases from expanding a small
// file into a large one.
const (
	maxFaults = 20
	maxFields = 1 << 18
)

// field is a part of the configuration and its place in it, such as
// spec.resources[2].metrics[0].name.
type field struct {
	node  *yaml.Node
	place string
	seen  *reading
}

// reading is the state that the fields of one configuration share.
type reading struct {
	strict   bool // tolerated errors are errors, too
	fields   int
	faults   []error
	warnings []string
	dropped  int // warnings beyond maxFaults
}

// fail records an error of the field. Reading continues, so that all errors of a file are reported at once.
func (f field) fail(format string, args ...any) { f.seen.fail(f.String(), format, args...) }

// fail is [field.fail] for a place.
func (r *reading) fail(place, format string, args ...any) {
	if len(r.faults) < maxFaults {
		r.faults = append(r.faults, fmt.Errorf("%s: %w", place, fmt.Errorf(format, args...)))
	}
}

// warn records an error that kube-state-metrics tolerates, and its consequence. In strict reading it is an error like
// any other.
func (f field) warn(consequence, format string, args ...any) {
	if f.seen.strict {
		f.fail(format, args...)
		return
	}
	f.seen.note(fmt.Sprintf("%s: %s; %s", f, fmt.Sprintf(format, args...), consequence))
}

// extension records that kube-state-metrics does not have what the field specifies. In strict reading that is an error.
func (f field) extension(what string) {
	if f.seen.strict {
		f.fail("%s is an extension that kube-state-metrics does not have", what)
	}
}

// note stores a warning. Warnings beyond maxFaults are only counted.
func (r *reading) note(warning string) {
	if len(r.warnings) == maxFaults {
		r.dropped++
		return
	}
	r.warnings = append(r.warnings, warning)
}

// String returns the place with its line, for messages.
func (f field) String() string {
	return fmt.Sprintf("%s (line %d)", cmp.Or(f.place, "the configuration"), f.node.Line)
}

func (f field) child(place string, node *yaml.Node) field {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return field{node: node, place: place, seen: f.seen}
}

// absent returns the field that stands for a missing member.
func (f field) absent(name string) field { return f.child(join(f.place, name), f.node) }

// count counts a field and reports whether the configuration may have it.
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
	without  string // the consequence if the member is expected and missing
	// extends is set on a member that kube-state-metrics does not have.
	extends bool
}

func optional(name string, read func(field)) member { return member{name: name, read: read} }

func required(name string, read func(field)) member {
	return member{name: name, read: read, required: true}
}

// expected is a member that kube-state-metrics does not require, but that was probably forgotten if it is missing.
func expected(name, without string, read func(field)) member {
	return member{name: name, read: read, without: without}
}

// extension is a member that kube-state-metrics does not have. In strict reading it is an error.
func extension(name string, read func(field)) member {
	return member{name: name, extends: true, read: func(f field) {
		f.extension(name)
		read(f)
	}}
}

// object reads the known members of f in their order. A member that is null counts as missing. An
// unknown one is ignored with a warning.
func (f field) object(known ...member) {
	given, ok := f.members()
	if !ok {
		return
	}
	var names, allowed []string
	for _, k := range known {
		names = append(names, k.name)
		if !k.extends || !f.seen.strict {
			allowed = append(allowed, k.name)
		}
		at := slices.IndexFunc(given, func(m named) bool { return m.name == k.name && !m.isNull() })
		switch {
		case at >= 0:
			k.read(given[at].field)
		case k.required:
			f.absent(k.name).fail("missing")
		case k.without != "":
			f.absent(k.name).warn(k.without, "missing")
		}
	}
	for _, m := range given {
		if !slices.Contains(names, m.name) {
			m.warn("it is ignored", "unknown field; known here are %s", strings.Join(allowed, ", "))
		}
	}
}

// named is a field with its name in the mapping that it belongs to.
type named struct {
	name string
	field
}

// members returns the members of a mapping, sorted by name, with merge keys resolved.
func (f field) members() ([]named, bool) {
	if f.node.Kind != yaml.MappingNode {
		f.fail("a mapping is expected")
		return nil, false
	}
	for i := 0; i < len(f.node.Content); i += 2 {
		if key := f.node.Content[i]; key.ShortTag() == "!!null" { // which the library would leave out
			f.child(f.place, key).fail("a name is expected, not %s", strconv.Quote(key.Value))
			return nil, false
		}
	}
	nodes := map[string]yaml.Node{}
	if err := f.node.Decode(&nodes); err != nil {
		var several *yaml.TypeError
		if errors.As(err, &several) {
			err = errors.New(strings.Join(several.Errors, "; "))
		}
		f.fail("%w; a mapping with unique names is expected", err)
		return nil, false
	}
	var all []named
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		if !f.count() {
			break
		}
		node := nodes[name]
		all = append(all, named{name, f.child(join(f.place, name), &node)})
	}
	return all, true
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
		all = append(all, f.child(f.place+"["+strconv.Itoa(i)+"]", node))
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

// nonEmpty is text that should not be empty; without is the consequence if it is.
func (f field) nonEmpty(without string) string {
	s := f.text()
	if s == "" && f.node.Kind == yaml.ScalarNode {
		f.warn(without, "must not be empty")
	}
	return s
}

// boolean returns a boolean. Like kube-state-metrics, it accepts the words of YAML 1.1, with a warning.
func (f field) boolean() bool { return scalar[bool](f, "!!bool", "true or false is expected") }

// verbosity returns a log verbosity, as in klog.
func (f field) verbosity() int32 {
	const want = "a whole number from 0 is expected"
	n := scalar[int32](f, "!!int", want)
	if n < 0 {
		f.warn(fmt.Sprintf("it is taken as %d", n), want)
	}
	return n
}

// positive returns a whole number of at least 1.
func (f field) positive() int {
	const want = "a whole number from 1 is expected"
	n := 0
	if f.node.Kind != yaml.ScalarNode || f.node.ShortTag() != "!!int" || f.node.Decode(&n) != nil || n < 1 {
		f.fail("%s, not %q", want, f.node.Value)
		return 0
	}
	return n
}

// scalar reads a value with the given YAML tag. A value with another tag that can be converted is accepted with a
// warning.
func scalar[T any](f field, tag, want string) (v T) {
	switch {
	case f.node.Kind != yaml.ScalarNode || f.node.Decode(&v) != nil:
		f.fail("%s", want)
	case f.node.ShortTag() != tag:
		f.warn(fmt.Sprintf("it is taken as %v", v), "%s", want)
	}
	return v
}
