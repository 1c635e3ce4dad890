package customresource

import (
	"log/slog"

	"github.com/statefleet/statefleet/resources"
)

// metric is one entry of a resource's metrics: it gives some of the samples of a family. It is immutable.
type metric struct {
	family *resources.Family // shared by all metrics of the name
	place  string            // in the configuration
	level  slog.Level        // of the log lines about its issues
	limit  int               // of the series of the family, on each replica; 0: none
	labels labelSource
	each   *each
}

// The types of metrics; case does not matter.
const (
	typeGauge    = "Gauge"
	typeStateSet = "StateSet"
	typeInfo     = "Info"
)

// each states where the values of a metric are, and which labels a single value has.
type each struct {
	kind      string // one of the types
	path      path
	valueFrom path // relative to path
	labels    labelSource
	byKey     string   // the label for the name of a map's member; "" for none
	nilIsZero bool     // of a gauge
	labelName string   // of a state set
	states    []string // of a state set
}

// write appends the samples of an object.
func (e *each) write(object *value, s *samples) {
	at := e.path.get(object)
	switch {
	case e.kind == typeInfo:
		e.writeInfos(at, s)
	case at.isList():
		for i := range at.items {
			e.writeValue(&at.items[i].value, s)
		}
	case at.isObject() && e.kind == typeGauge:
		e.writeMembers(at, s)
	default:
		e.writeValue(at, s)
	}
}

// writeValue appends the samples of a single value. A state set treats a map as a single value.
func (e *each) writeValue(v *value, s *samples) {
	at := e.valueFrom.get(v)
	switch {
	case at.isNull() && !e.nilIsZero:
		s.recordMissing(v)
	case e.kind == typeGauge:
		if f, ok := at.float(); ok || at.isNull() {
			s.write(f, e.own(s, "", v, nil))
		} else {
			s.skip(noNumber)
		}
	case at.kind != textValue:
		s.skip(noText)
	default:
		e.writeStates(at.text, e.own(s, "", v, nil), s)
	}
}

// writeStates appends a sample for each state: 1 for the current one, 0 for the others.
func (e *each) writeStates(current string, own labels, s *samples) {
	own = append(own, label{name: e.labelName})
	for _, state := range e.states {
		own[len(own)-1].value = state
		s.write(boolToFloat(state == current), own)
	}
	s.own = own
}

// writeMembers appends a sample for each member of a map that has a number. A valueFrom of a single step may also name
// one of the members itself. Without valueFrom, members of other types are no issue, because maps contain various
// fields.
func (e *each) writeMembers(whole *value, s *samples) {
	for i := range whole.items {
		member := &whole.items[i]
		at := e.valueFrom.get(&member.value)
		if len(e.valueFrom) == 1 && e.valueFrom[0].step == member.name {
			at = &member.value
		}
		f, ok := at.float()
		switch {
		case ok, at.isNull() && e.nilIsZero:
			s.write(f, e.own(s, member.name, &member.value, whole))
		case !at.isNull() && len(e.valueFrom) > 0:
			s.skip(noNumber)
		}
	}
}

// writeInfos appends a sample with the value 1 for each element of a list, for a map as a whole and for each of its
// members, or for the value itself, but only for those with labels.
func (e *each) writeInfos(at *value, s *samples) {
	write := func(key string, v *value) {
		if own := e.own(s, key, v, nil); len(own) > 0 {
			s.write(1, own)
		}
	}
	if !at.isList() {
		write("", at)
	}
	if at == nil {
		return
	}
	for i := range at.items {
		write(at.items[i].name, &at.items[i].value)
	}
}

// maxCopied limits the labels that are copied from maps for one family of an object. A map of 100,000 members that is
// copied for each of its members would need 10^10 copies, although few labels may be left if their names become equal.
const maxCopied = 1 << 20

// own returns the labels that belong to v: the key of a map's member, then the labels of v, then those of the map.
// Later ones replace earlier ones.
func (e *each) own(s *samples, key string, v, parent *value) labels {
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

// addTo adds the parts of an object that write reads to its shape.
func (e *each) addTo(object *shape) {
	object.visit(e.path, func(end *shape) {
		// If each member of a map gives a sample, every member is needed, whatever it contains.
		end.all = end.all || e.byKey != "" || e.nilIsZero
		for _, value := range []*shape{end, end.eachChild()} {
			if e.kind != typeInfo {
				value.add(e.valueFrom)
			}
			e.labels.addTo(value)
		}
		if e.kind == typeGauge && len(e.valueFrom) == 1 {
			end.child(e.valueFrom[0].step).all = true
		}
	})
}

// source describes where the samples come from, such as "spec.resources[0].metrics[1] (line 14), path
// spec.size".
func (m *metric) source() string {
	if len(m.each.path) == 0 {
		return m.place
	}
	return m.place + ", path " + m.each.path.String()
}
