package customresource

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/statefleet/statefleet/resources"
)

const (
	ignored = "it is ignored"
	// Consequences of a missing member.
	noResources = "no custom resource is exported by it"
	noEntry     = "the entry is left out"
	noSeries    = "the entry gives no series"
	noMetric    = "the metric is left out"
)

// metric reads an element of a resource's metrics. It returns nil if an error makes the metric unusable.
func (p *parser) metric(f field, inherited resourceFields) *metric {
	const byPrefix = "the family is named after the prefix, with an underscore"
	var name, help string
	named := f.absent("name")
	own := inherited
	var e *each
	var typeField, limitField field
	limit := 0
	f.object(
		expected("name", byPrefix, func(f field) { name, named = f.nonEmpty(byPrefix), f }),
		optional("help", func(f field) { help = f.text() }),
		optional("commonLabels", func(f field) { own.common = mergeMaps(own.common, readCommonLabels(f)) }),
		optional("labelsFromPath", func(f field) { own.labelsFrom = mergeMaps(own.labelsFrom, readLabelsFromPath(f, false)) }),
		optional("errorLogV", func(f field) { own.verbosity = cmp.Or(f.verbosity(), own.verbosity) }),
		extension("seriesLimit", func(f field) { limit, limitField = f.positive(), f }),
		required("each", func(f field) { e, typeField = readEach(f) }),
	)
	if own.prefix != "" {
		name = own.prefix + "_" + name
	}
	if !model.LegacyValidation.IsValidMetricName(name) {
		named.fail("%q is not a metric name: letters, digits, underscores and colons", name)
		return nil
	}
	if e == nil {
		return nil
	}
	m := &metric{
		family: p.family(f, typeField, e, name, help),
		place:  named.String(),
		limit:  p.familyLimit(name, limit, limitField),
		labels: newLabelSource(own.common, own.labelsFrom),
		each:   e,
	}
	if own.verbosity > 0 { // its issues are for debugging only
		m.level = slog.LevelDebug
	}
	if !m.identity(false).complete(false) {
		p.note(fmt.Sprintf("%s: %s has no label that identifies the object; %s", m.place, m.family.Name, sharedSeries))
	}
	return m
}

// family returns the family with this name, which metrics of one type may share.
func (p *parser) family(f, typeField field, e *each, name, help string) *resources.Family {
	selfLabelled := e.kind == typeStateSet && e.labelName == name
	o, ok := p.families[name]
	if !ok {
		o = &familyOrigin{Family: &resources.Family{Name: name, Help: help}, place: f.place, kind: e.kind, selfLabelled: selfLabelled}
		p.families[name] = o
	}
	if o.kind != e.kind {
		typeField.fail("%s is %s here, but %s at %s; a family has one type", name, e.kind, o.kind, o.place)
	}
	o.selfLabelled = o.selfLabelled && selfLabelled
	return o.Family
}

// familyLimit returns the seriesLimit of a metric. Metrics of one family must not have different limits.
func (p *parser) familyLimit(name string, limit int, f field) int {
	o := p.families[name]
	if limit > 0 && o.limit > 0 && limit != o.limit {
		f.fail("%s has the limit %d here, but %d in another metric; a family has one limit", name, limit, o.limit)
	}
	o.limit = cmp.Or(o.limit, limit)
	return limit
}

// setTypes sets the types of the families. OpenMetrics 1.0 requires that the samples of an info end in _info, which is
// not part of the family's name, that the names of families are distinct, and that the label of a state set has the
// name of its family. Families that do not comply are gauges, as in the text format.
func (p *parser) setTypes() {
	for name, o := range p.families {
		without, isInfo := strings.CutSuffix(name, "_info")
		switch {
		case o.kind == typeInfo && isInfo && p.families[without] == nil:
			o.Type = resources.Info
		case o.kind == typeStateSet && o.selfLabelled:
			o.Type = resources.StateSet
		}
	}
}

// readEach reads the each of a metric. It also returns the field of its type. e is nil if it is invalid or gives no
// samples.
func readEach(f field) (e *each, typeField field) {
	kinds := []string{typeGauge, typeStateSet, typeInfo}
	kind := ""
	found := false
	known := []member{required("type", func(f field) {
		typeField = f
		given := f.text()
		at := slices.IndexFunc(kinds, func(k string) bool { return strings.EqualFold(given, k) })
		if at < 0 {
			f.fail("%q is unknown; known are %s, %s and %s", given, typeGauge, typeStateSet, typeInfo)
			return
		}
		kind = kinds[at]
	})}
	block := func(kind string) string { return strings.ToLower(kind[:1]) + kind[1:] }
	for _, k := range kinds {
		known = append(known, optional(block(k), func(f field) {
			switch kind {
			case k:
				found = true
				e = readBlock(f, kind)
			case "": // the type was reported as an error
			default:
				f.warn(ignored, "belongs to the type %s, but the type is %s", k, kind)
			}
		}))
	}
	f.object(known...)
	if kind != "" && !found {
		f.absent(block(kind)).fail("missing")
	}
	return e, typeField
}

// readBlock reads the block of a type. It returns nil if the block gives no samples.
func readBlock(f field, kind string) *each {
	e := &each{kind: kind}
	var read map[string]path
	faults := len(f.seen.faults)
	byKey := optional("labelFromKey", func(f field) { e.byKey = readLabelName(f) })
	valueFrom := optional("valueFrom", func(f field) { e.valueFrom = readPath(f) })
	known := []member{optional("path", func(f field) { e.path = readPath(f) })}
	labelsFromPath := optional("labelsFromPath", func(f field) { read = readLabelsFromPath(f, true) })
	switch kind {
	case typeGauge:
		known = append(known, byKey, labelsFromPath, valueFrom,
			optional("nilIsZero", func(f field) { e.nilIsZero = f.boolean() }))
	case typeStateSet:
		known = append(known,
			expected("labelName", noMetric, func(f field) {
				if e.labelName = readLabelName(f); e.labelName == "" {
					f.warn(noMetric, "must not be empty")
				}
			}),
			labelsFromPath, valueFrom,
			expected("list", noMetric, func(f field) { e.states = readStates(f) }))
	default:
		known = append(known, byKey, labelsFromPath)
	}
	f.object(known...)
	e.labels = newLabelSource(nil, read)

	hasValue := len(e.path)+len(e.valueFrom) > 0
	isValid := len(f.seen.faults) == faults // a path with an error counts as empty
	switch {
	case kind == typeGauge && !hasValue && isValid:
		f.warn("there is a sample for each member of the object that is a number", "has neither path nor valueFrom")
	case kind == typeStateSet && !hasValue && isValid:
		f.warn(noMetric, "has neither path nor valueFrom")
	case kind == typeInfo && len(read) == 0 && e.byKey == "":
		f.warn(noMetric, "has neither labelsFromPath nor labelFromKey; without a label of its own it gives no sample")
		return nil
	}
	if kind == typeStateSet && (!hasValue || e.labelName == "" || len(e.states) == 0) {
		return nil
	}
	return e
}

func readStates(f field) []string {
	var states []string
	given := f.elements()
	if len(given) == 0 {
		f.warn(noMetric, "names no states")
	}
	for _, e := range given {
		s := e.text()
		if slices.Contains(states, s) {
			f.warn("it counts once", "names %q twice", s)
			continue
		}
		states = append(states, s)
	}
	return states
}

// readLabelName reads the name of a label; "" means no label.
func readLabelName(f field) string {
	name := f.text()
	if name == "" {
		return ""
	}
	checkLabel(f, name)
	return labelName(name)
}
