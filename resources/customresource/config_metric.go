package customresource

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/statefleet/statefleet/resources"
)

// The types of metrics; case does not matter.
const (
	typeGauge    = "Gauge"
	typeStateSet = "StateSet"
	typeInfo     = "Info"
)

// metric reads an element of a resource's metrics; nil when it has a fault that
// leaves nothing to go on with.
func (p *parser) metric(f field, given resourceFields) *metric {
	const byPrefix = "the family is called as the prefix, with an underscore"
	var name, help string
	named := f.below(join(f.place, "name"), f.node)
	verbosity := given.verbosity
	var common map[string]string
	var labelsFrom map[string]path
	var one eachFields
	f.object(
		should("name", byPrefix, func(f field) { name, named = f.expected(byPrefix), f }),
		may("help", func(f field) { help = f.text() }),
		may("commonLabels", func(f field) { common = readCommonLabels(f) }),
		may("labelsFromPath", func(f field) { labelsFrom = readLabelsFromPath(f, false) }),
		may("errorLogV", func(f field) { verbosity = cmp.Or(f.verbosity(), verbosity) }),
		must("each", func(f field) { one.read(f) }),
	)
	if given.prefix != "" {
		name = given.prefix + "_" + name
	}
	if !model.LegacyValidation.IsValidMetricName(name) {
		named.fail("%q is no name of a metric: letters, digits, underscores and colons", name)
		return nil
	}
	if one.each == nil {
		return nil
	}
	m := &metric{
		family: p.family(f, name, help, one),
		place:  named.String(),
		level:  level(verbosity),
		labels: newLabelSource(joined(given.common, common), joined(given.labelsFrom, labelsFrom)),
		each:   one.each,
	}
	if !m.identifies().complete(false) {
		p.note(fmt.Sprintf("%s: %s has no label that identifies the object; %s", m.place, m.family.Name, shares))
	}
	return m
}

// family returns the family of that name, which metrics of one type share.
func (p *parser) family(f field, name, help string, one eachFields) *resources.Family {
	labelled := one.kind == typeStateSet && one.labelName == name
	o, ok := p.families[name]
	if !ok {
		o = &familyOrigin{Family: &resources.Family{Name: name, Help: help}, place: f.place, kind: one.kind, labelled: labelled}
		p.families[name] = o
	}
	if o.kind != one.kind {
		one.typeField.fail("%s is %s here, but %s at %s; a family has one type", name, one.kind, o.kind, o.place)
	}
	o.labelled = o.labelled && labelled
	return o.Family
}

// finish sets the families' types. OpenMetrics 1.0 wants the samples of an info
// to end in _info, which is no part of the family's name, the names of families
// to be distinct, and the label of a state set to be called as its family. What
// is named otherwise is shown as the gauge that it is in the text format.
func (p *parser) finish() {
	for name, o := range p.families {
		without, isInfo := strings.CutSuffix(name, "_info")
		switch {
		case o.kind == typeInfo && isInfo && p.families[without] == nil:
			o.Type = resources.Info
		case o.kind == typeStateSet && o.labelled:
			o.Type = resources.StateSet
		}
	}
}

// eachFields is a metric's each, and what of it concerns the family.
type eachFields struct {
	each
	seen      bool // the block of the kind; each is nil nevertheless when it gives no samples
	kind      string
	typeField field // where the kind stands
	labelName string
}

func (e *eachFields) read(f field) {
	blocks := []struct {
		name, kind string
		read       func(field) each
	}{
		{"gauge", typeGauge, readGauge},
		{"stateSet", typeStateSet, e.readStateSet},
		{"info", typeInfo, readInfo},
	}
	known := []member{must("type", func(f field) { e.kind, e.typeField = readType(f), f })}
	for _, b := range blocks {
		known = append(known, may(b.name, func(f field) {
			switch e.kind {
			case b.kind:
				e.seen = true
				e.each = b.read(f)
			case "": // the type is a fault already
			default:
				f.warn("it is ignored", "belongs to the type %s, but the type is %s", b.kind, e.kind)
			}
		}))
	}
	f.object(known...)
	for _, b := range blocks {
		if b.kind == e.kind && !e.seen {
			f.below(join(f.place, b.name), f.node).fail("missing")
		}
	}
}

func readType(f field) string {
	given := f.text()
	for _, kind := range []string{typeGauge, typeStateSet, typeInfo} {
		if strings.EqualFold(given, kind) {
			return kind
		}
	}
	f.fail("%q is unknown; known are %s, %s and %s", given, typeGauge, typeStateSet, typeInfo)
	return ""
}

func readGauge(f field) each {
	g := &gauge{}
	var own map[string]path
	before := len(f.seen.faults)
	f.object(
		may("path", func(f field) { g.path = readPath(f) }),
		may("labelFromKey", func(f field) { g.byKey = readLabelName(f) }),
		may("labelsFromPath", func(f field) { own = readLabelsFromPath(f, true) }),
		may("valueFrom", func(f field) { g.valueFrom = readPath(f) }),
		may("nilIsZero", func(f field) { g.nilIsZero = f.boolean() }),
	)
	checkValue(f, before, g.path, g.valueFrom, "there is a sample for each member of the object that is a number")
	g.labels = newLabelSource(nil, own)
	return g
}

func (e *eachFields) readStateSet(f field) each {
	t := &stateSet{}
	var own map[string]path
	before := len(f.seen.faults)
	f.object(
		may("path", func(f field) { t.path = readPath(f) }),
		should("labelName", metricOut, func(f field) {
			if t.labelName = readLabelName(f); t.labelName == "" {
				f.warn(metricOut, "must not be empty")
			}
		}),
		may("labelsFromPath", func(f field) { own = readLabelsFromPath(f, true) }),
		may("valueFrom", func(f field) { t.valueFrom = readPath(f) }),
		should("list", metricOut, func(f field) { t.states = readStates(f) }),
	)
	hasValue := checkValue(f, before, t.path, t.valueFrom, metricOut)
	if !hasValue || t.labelName == "" || len(t.states) == 0 {
		return nil
	}
	e.labelName = t.labelName
	t.labels = newLabelSource(nil, own)
	return t
}

func readStates(f field) []string {
	given := f.texts()
	if len(given) == 0 {
		f.warn(metricOut, "names no states")
	}
	var states []string
	for _, s := range given {
		if slices.Contains(states, s) {
			f.warn("it counts once", "names %q twice", s)
			continue
		}
		states = append(states, s)
	}
	return states
}

func readInfo(f field) each {
	n := &info{}
	var own map[string]path
	f.object(
		may("path", func(f field) { n.path = readPath(f) }),
		may("labelFromKey", func(f field) { n.byKey = readLabelName(f) }),
		may("labelsFromPath", func(f field) { own = readLabelsFromPath(f, true) }),
	)
	if len(own) == 0 && n.byKey == "" {
		f.warn(metricOut, "has neither labelsFromPath nor labelFromKey; without a label of its own it gives no sample")
		return nil
	}
	n.labels = newLabelSource(nil, own)
	return n
}

// checkValue reports whether there is a path to a value, so that the value is not the
// whole object. A path that is a fault already is not one for being empty as well.
func checkValue(f field, faultsBefore int, path, valueFrom path, becomes string) bool {
	if len(path) > 0 || len(valueFrom) > 0 {
		return true
	}
	if len(f.seen.faults) == faultsBefore {
		f.warn(becomes, "has neither path nor valueFrom")
	}
	return false
}

// readLabelName reads the name of a label; "" stands for none.
func readLabelName(f field) string {
	name := f.text()
	if name == "" {
		return ""
	}
	checkLabel(f, name)
	return labelName(name)
}
