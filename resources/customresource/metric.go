package customresource

import (
	"log/slog"

	"github.com/statefleet/statefleet/resources"
)

// metric is one entry of a resource's metrics: it gives some of the samples of
// a family. It is immutable.
type metric struct {
	family *resources.Family // shared by all metrics of the name
	place  string            // where the configuration names it
	level  slog.Level        // at which its faults are logged
	labels labelSource
	each   each
}

// each is what the types of metrics differ in.
type each interface {
	// write appends the samples of an object.
	write(object *value, s *samples)
	// reach adds what write reads of an object.
	reach(s *shape)
	// identifying returns the labels that it reads from an object, and the names
	// of its other labels.
	identifying() (own labelSource, names []string)
}

// source is what all types have: where the values are, and the labels that
// belong to a single one of them.
type source struct {
	path   path
	byKey  string // the label that names a map's member; "" for none
	labels labelSource
}

// maxCopied bounds the labels that are copied from maps for one family of an object. A map of
// 100,000 members that is copied for each of them asks for 10^10, of which few may be left
// when their names become the same.
const maxCopied = 1 << 20

// own returns the labels that belong to v: the key of a map's member, then the
// labels that v gives, then those that the map gives. The later ones win.
func (e *source) own(s *samples, key string, v, parent *value) labels {
	s.own = s.own[:0]
	if s.out.Full() { // a map may be copied for each of its members
		return s.own
	}
	if e.byKey != "" && key != "" {
		s.own = append(s.own, label{e.byKey, key})
	}
	s.own = e.labels.append(s.own, v, s.mayCopy)
	if parent != nil {
		s.own = e.labels.append(s.own, parent, s.mayCopy)
	}
	if s.work > maxCopied {
		s.out.Overflow()
	}
	return s.own
}

// reachWith adds what the labels and the given paths reach. With members all
// members of a map are needed, those included that the paths lead nowhere from.
func (e *source) reachWith(s *shape, members bool, more ...path) {
	s.addEach(e.path, members, append(more, e.labels.reach()...)...)
}

// gauge gives the value that valueFrom leads to: of each element of a list, of
// each member of a map, or of the value itself.
type gauge struct {
	source
	valueFrom path
	nilIsZero bool
}

func (g *gauge) write(object *value, s *samples) {
	at := g.path.get(object)
	switch {
	case at.isObject():
		g.writeMembers(at, s)
	case at.isList():
		for i := range at.items {
			g.writeValue(&at.items[i].value, s)
		}
	default:
		g.writeValue(at, s)
	}
}

func (g *gauge) writeValue(v *value, s *samples) {
	at := g.valueFrom.get(v)
	f, ok := at.float()
	switch {
	case ok, at.isNull() && g.nilIsZero:
		s.write(f, g.own(s, "", v, nil))
	case at.isNull():
		s.miss(v)
	default:
		s.skip(noNumber)
	}
}

// writeMembers gives a sample for each member of a map that has a number. A
// valueFrom of a single step may also name one of the members itself. Without
// valueFrom, members of other types are no fault: maps hold various fields.
func (g *gauge) writeMembers(whole *value, s *samples) {
	for i := range whole.items {
		member := &whole.items[i]
		at := g.valueFrom.get(&member.value)
		if len(g.valueFrom) == 1 && g.valueFrom[0].step == member.name {
			at = &member.value
		}
		f, ok := at.float()
		switch {
		case ok, at.isNull() && g.nilIsZero:
			s.write(f, g.own(s, member.name, &member.value, whole))
		case !at.isNull() && len(g.valueFrom) > 0:
			s.skip(noNumber)
		}
	}
}

func (g *gauge) reach(s *shape) {
	g.reachWith(s, g.byKey != "" || g.nilIsZero, g.valueFrom)
	if len(g.valueFrom) == 1 {
		s.at(g.path, func(end *shape) { end.child(g.valueFrom[0].step).all = true })
	}
}

// stateSet gives a sample for each state of a list: 1 for the one that the text
// is equal to, 0 for the others. A map counts as a whole.
type stateSet struct {
	source
	valueFrom path
	labelName string
	states    []string
}

func (t *stateSet) write(object *value, s *samples) {
	at := t.path.get(object)
	if !at.isList() {
		t.writeValue(at, s)
		return
	}
	for i := range at.items {
		t.writeValue(&at.items[i].value, s)
	}
}

func (t *stateSet) writeValue(v *value, s *samples) {
	at := t.valueFrom.get(v)
	if at.isNull() {
		s.miss(v)
		return
	}
	if at.kind != textValue {
		s.skip(noText)
		return
	}
	own := append(t.own(s, "", v, nil), label{name: t.labelName})
	for _, state := range t.states {
		own[len(own)-1].value = state
		s.write(truth(state == at.text), own)
	}
	s.own = own
}

func (t *stateSet) reach(s *shape) { t.reachWith(s, false, t.valueFrom) }

// info gives 1, with labels that tell something: for each element of a list, for a
// map as a whole and for each of its members, or for the value itself. Where none
// of the labels is found there is nothing to tell.
type info struct{ source }

func (n *info) write(object *value, s *samples) {
	at := n.path.get(object)
	if !at.isList() {
		n.writeValue("", at, s)
	}
	if at == nil {
		return
	}
	for i := range at.items {
		n.writeValue(at.items[i].name, &at.items[i].value, s)
	}
}

func (n *info) writeValue(key string, v *value, s *samples) {
	if own := n.own(s, key, v, nil); len(own) > 0 {
		s.write(1, own)
	}
}

func (n *info) reach(s *shape) { n.reachWith(s, n.byKey != "") }
