package customresource

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/statefleet/statefleet/resources"
)

// Sources describes the metrics that give a family of a kind, each with its place, line and path, in the order of the
// configuration.
func (c *Config) Sources(gvk schema.GroupVersionKind, family string) (all []string) {
	for _, e := range c.entries {
		for _, m := range e.metrics {
			if e.matches(gvk) && m.family.Name == family {
				all = append(all, m.source())
			}
		}
	}
	return all
}

// Entry describes an entry of a configuration.
type Entry struct {
	// GVK may have the wildcard "*" as version and kind.
	GVK schema.GroupVersionKind
	// Plural is the resourcePlural of the entry; "" if it has none.
	Plural string
	// LabelSelector and FieldSelector restrict the objects; "" selects all.
	LabelSelector, FieldSelector string
	// Families are the names of the families, including those that a filter may leave out.
	Families []string
}

// Entries returns the entries in the order of the configuration.
func (c *Config) Entries() (all []Entry) {
	for _, e := range c.entries {
		entry := Entry{GVK: e.gvk, Plural: e.plural, LabelSelector: e.selection.labels, FieldSelector: e.selection.fields}
		for _, m := range e.metrics {
			if !slices.Contains(entry.Families, m.family.Name) {
				entry.Families = append(entry.Families, m.family.Name)
			}
		}
		all = append(all, entry)
	}
	return all
}

// UsualPlural guesses the name of the API resource of a kind.
func UsualPlural(kind string) string {
	guess, _ := meta.UnsafeGuessKindToResource(schema.GroupVersionKind{Kind: kind})
	stem, ok := strings.CutSuffix(guess.Resource, "ies")
	if ok && stem != "" && strings.ContainsRune("aeou", rune(stem[len(stem)-1])) { // gateways, not gatewaies
		return stem + "ys"
	}
	return guess.Resource
}

// Families returns the families of all metrics, including those that a filter may leave out.
func (c *Config) Families() (all []resources.Family) {
	for _, e := range c.entries {
		for _, m := range e.metrics {
			all = append(all, *m.family)
		}
	}
	return all
}

// CheckNames returns an error if a family of the configuration has the name of a family of the built-in kinds, in the
// text format or in OpenMetrics, and f selects both. The samples of both would form one family, with the HELP of the
// first. The error joins up to 20 errors, in the form of those of [Parse].
func (c *Config) CheckNames(builtin []resources.Kind, f resources.Filter) error {
	taken := takenNames{}
	for _, k := range builtin {
		r, err := k.Renderer(f)
		if err != nil {
			return err
		}
		for _, family := range r.Families() {
			taken.add(family, "the built-in kind "+k.Name())
		}
	}
	return c.checkNames(taken, f)
}

// takenNames has the families whose names are taken, by both of their names, for messages.
type takenNames map[string]string

func (t takenNames) add(f resources.Family, owner string) {
	text := f.Name + " of " + owner
	t[f.Name], t[f.OpenMetricsName()] = text, text
}

// checkNames returns an error for each of the first families that f selects and whose name is taken.
func (c *Config) checkNames(taken takenNames, f resources.Filter) error {
	var faults []error
	for _, e := range c.entries {
		for _, m := range e.metrics {
			other := cmp.Or(taken[m.family.Name], taken[m.family.OpenMetricsName()])
			if other != "" && f.Selects(*m.family) && len(faults) < maxFaults {
				faults = append(faults, fmt.Errorf("%s: %s clashes with %s; another name, or another metricNamePrefix, is expected",
					m.place, m.family.Name, other))
			}
		}
	}
	return errors.Join(faults...)
}
