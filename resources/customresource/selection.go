package customresource

import (
	"slices"

	"k8s.io/apimachinery/pkg/fields"
	k8slabels "k8s.io/apimachinery/pkg/labels"
)

// selection restricts the objects of an entry. Its selectors are in their canonical form, so that
// equal ones share a watch.
type selection struct{ labels, fields string }

// readLabelSelector reads a label selector; "" selects all objects.
func readLabelSelector(f field) string {
	s, err := k8slabels.Parse(f.text())
	if err != nil {
		f.fail("must be a label selector such as team in (a,b): %w", err)
		return ""
	}
	return s.String()
}

// readFieldSelector reads a field selector; "" selects all objects. Only the API server knows which fields exist.
func readFieldSelector(f field) string {
	s, err := fields.ParseSelector(f.text())
	if err != nil {
		f.fail("must be a field selector such as spec.nodeName=n1: %w", err)
		return ""
	}
	for _, r := range s.Requirements() {
		if r.Field == "" {
			f.fail("must be a field selector such as spec.nodeName=n1: a field before the operator is missing")
		}
	}
	return s.String()
}

// checkSelections rejects a family that two entries give for different objects of one kind: an object that both select
// would give its series twice.
func (p *parser) checkSelections() {
	entries := map[string][]*entry{} // by family
	for _, e := range p.config.entries {
		for _, m := range e.metrics {
			name := m.family.Name
			other := slices.IndexFunc(entries[name], func(o *entry) bool { return o.selection != e.selection && o.overlaps(e) })
			if other >= 0 {
				p.fail(m.place, "%s is a family of %s, too, whose selectors differ, so that one object may give a series twice; "+
					"another name is expected", name, entries[name][other].place)
			}
			if !slices.Contains(entries[name], e) {
				entries[name] = append(entries[name], e)
			}
		}
	}
}

// selections returns the distinct selections of entries, in their order.
func selections(entries []*entry) (all []selection) {
	for _, e := range entries {
		if !slices.Contains(all, e.selection) {
			all = append(all, e.selection)
		}
	}
	return all
}
