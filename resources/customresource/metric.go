package customresource

import (
	"iter"
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
}

// source is what all types have: where the values are, and the labels that
// belong to a single one of them.
type source struct {
	path   path
	byKey  string // the label that names a map's member; "" takes a map as a whole
	labels labelSource
}

// all returns what there is a value of: the elements of a list, the members of
// a map when they are told apart by a label or when the map as a whole tells
// nothing, else the value itself, which may be nil. The item is a member that is
// told apart.
func (e *source) all(at *value, tells bool) iter.Seq2[*item, *value] {
	return func(yield func(*item, *value) bool) {
		byKey := e.byKey != "" && at.isObject()
		if !at.isList() && !byKey && (tells || !at.isObject()) {
			yield(nil, at)
			return
		}
		for i := range at.items {
			member := &at.items[i]
			if !byKey {
				member = nil
			}
			if !yield(member, &at.items[i].value) {
				return
			}
		}
	}
}

// own returns the labels that belong to one value.
func (e *source) own(s *samples, member *item, v *value) labels {
	s.own = e.labels.append(s.own[:0], v)
	if member != nil {
		s.own = append(s.own, label{e.byKey, member.name})
	}
	return s.own
}

func (e *source) reachWith(s *shape, more ...path) {
	s.addEach(e.path, e.byKey != "", append(more, e.labels.reach()...)...)
}

// gauge gives the value that valueFrom leads to.
type gauge struct {
	source
	valueFrom path
	nilIsZero bool
}

func (g *gauge) write(object *value, s *samples) {
	from := g.path.get(object)
	for member, v := range g.all(from, g.tells(from)) {
		at := g.valueFrom.get(v)
		if at.isNull() && !g.nilIsZero {
			s.miss(v)
			continue
		}
		f, ok := at.float()
		if !ok && !at.isNull() {
			s.skip(noNumber)
			continue
		}
		s.write(f, g.own(s, member, v))
	}
}

// tells reports whether a map as a whole may have a number.
func (g *gauge) tells(whole *value) bool {
	at := g.valueFrom.get(whole)
	return !at.isObject() && (g.nilIsZero || !at.isNull())
}

func (g *gauge) reach(s *shape) { g.reachWith(s, g.valueFrom) }

// stateSet gives a sample for each state of a list: 1 for the one that the text
// is equal to, 0 for the others.
type stateSet struct {
	source
	valueFrom path
	labelName string
	states    []string
}

func (t *stateSet) write(object *value, s *samples) {
	for _, v := range t.all(t.path.get(object), true) {
		at := t.valueFrom.get(v)
		if at.isNull() {
			s.miss(v)
			continue
		}
		if at.kind != textValue {
			s.skip(noText)
			continue
		}
		own := append(t.own(s, nil, v), label{name: t.labelName})
		for _, state := range t.states {
			own[len(own)-1].value = state
			s.write(truth(state == at.text), own)
		}
		s.own = own
	}
}

func (t *stateSet) reach(s *shape) { t.reachWith(s, t.valueFrom) }

// info gives 1, with labels that tell something. Where none of them is found
// there is nothing to tell.
type info struct{ source }

func (n *info) write(object *value, s *samples) {
	from := n.path.get(object)
	for member, v := range n.all(from, n.labels.gives(from)) {
		if own := n.own(s, member, v); len(own) > 0 {
			s.write(1, own)
		}
	}
}

func (n *info) reach(s *shape) { n.reachWith(s) }
