package customresource

import (
	"log/slog"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/statefleet/statefleet/resources"
)

// Definition is what has to be known of an API resource to follow it, as a
// CustomResourceDefinition (apiextensions.k8s.io/v1) tells it.
type Definition struct {
	Group, Kind, Plural string
	Namespaced          bool
	// Versions are the served ones.
	Versions []string
}

func (d Definition) equal(other Definition) bool {
	return d.Group == other.Group && d.Kind == other.Kind && d.Plural == other.Plural &&
		d.Namespaced == other.Namespaced && slices.Equal(d.Versions, other.Versions)
}

// Kind is a custom resource to export. Kinds are comparable: as long as nothing
// changes for a resource, a Follower hands out the same Kind.
type Kind struct {
	// Name names the kind in self-metrics and in a scrape's choice of resources:
	// plural.version.group, as kubectl takes it. Plurals alone are not unique.
	// Custom resources need not be named in --resources: the configuration
	// enables them.
	Name string
	// Resource is the API resource that is listed and watched. Its objects have
	// to be asked for as JSON.
	Resource schema.GroupVersionResource
	// Namespaced kinds are restricted by the namespace filters.
	Namespaced bool
	// Renderer renders the families that the filter selected; there is at least one.
	Renderer *Renderer
}

// nameOf returns the Name of a resource's kind.
func nameOf(r schema.GroupVersionResource) string {
	return r.Resource + "." + r.Version + "." + r.Group
}

// Kinds returns the kinds that the configuration and the definitions give, in
// the order of their names: of each definition every served version that an
// entry names, by a wildcard or by itself. All entries of one kind are joined.
//
// A kind of which there is no definition is there as well when its entry gives
// a resourcePlural and no wildcard; it is taken to be namespaced. Kinds of which
// f selects no family are left out. What the kinds' objects lack is logged to
// logger.
func (c *Config) Kinds(definitions []Definition, f resources.Filter, logger *slog.Logger) []Kind {
	var kinds []Kind
	add := func(gvk schema.GroupVersionKind, plural string, namespaced bool) {
		entries := c.entriesOf(gvk)
		gvr := gvk.GroupVersion().WithResource(plural)
		if len(entries) == 0 || slices.ContainsFunc(kinds, func(k Kind) bool { return k.Resource == gvr }) {
			return
		}
		k := Kind{Name: nameOf(gvr), Resource: gvr, Namespaced: namespaced}
		k.Renderer = newRenderer(gvk, entries, f, logger.With("resource", k.Name))
		if len(k.Renderer.families) > 0 {
			kinds = append(kinds, k)
		}
	}
	for _, d := range definitions {
		for _, version := range d.Versions {
			add(schema.GroupVersionKind{Group: d.Group, Version: version, Kind: d.Kind}, d.Plural, d.Namespaced)
		}
	}
	for _, e := range c.undefined(definitions) {
		add(e.gvk, e.plural, true)
	}
	slices.SortFunc(kinds, func(a, b Kind) int { return strings.Compare(a.Name, b.Name) })
	return kinds
}

func (c *Config) entriesOf(gvk schema.GroupVersionKind) []*entry {
	var of []*entry
	for _, e := range c.entries {
		if e.matches(gvk) {
			of = append(of, e)
		}
	}
	return of
}

// undefined returns the entries that can do without a definition and have none.
func (c *Config) undefined(definitions []Definition) []*entry {
	var all []*entry
	for _, e := range c.entries {
		defined := slices.ContainsFunc(definitions, func(d Definition) bool {
			return d.Group == e.gvk.Group && d.Kind == e.gvk.Kind
		})
		if e.pinned() && !defined {
			all = append(all, e)
		}
	}
	return all
}

// unmatched describes the entries that give no kind, for people to read.
func (c *Config) unmatched(kinds []Kind) []string {
	var all []string
	for _, e := range c.entries {
		if !slices.ContainsFunc(kinds, func(k Kind) bool { return e.matches(k.Renderer.gvk) }) {
			all = append(all, e.gvk.GroupVersion().String()+" "+e.gvk.Kind)
		}
	}
	return all
}
