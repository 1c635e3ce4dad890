package customresource

import (
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
)

// Kind is a custom resource to export. Kinds are comparable: as long as nothing changes for a
// resource, a DefinitionWatcher returns the same Kind.
type Kind struct {
	// Name identifies the kind in self-metrics and in a scrape's choice of resources: plural.version.group, as in
	// kubectl, without the last dot for the core group. Plurals alone are not unique. Entries with other selectors than
	// the first one of their kind are kinds of their own, with the suffix :2 and so on. Custom resources need not be
	// named in --resources: the configuration enables them.
	Name string
	// Resource is the API resource that is listed and watched. Its objects must be requested as JSON.
	Resource schema.GroupVersionResource
	// Namespaced is set if the objects belong to namespaces. The namespace filters restrict such kinds.
	Namespaced bool
	// LabelSelector and FieldSelector restrict the objects that are listed and watched; "" selects all.
	LabelSelector, FieldSelector string
	// Form is the part of each object that is requested.
	Form wire.Form
	// Renderer renders the families that the filter selected; there is at least one.
	Renderer *Renderer
}

// same reports whether two kinds of one configuration are equal except for their renderers.
func (k Kind) same(other Kind) bool {
	return k.Name == other.Name && k.Resource == other.Resource && k.Namespaced == other.Namespaced &&
		k.Renderer.gvk == other.Renderer.gvk
}

// Kinds returns the kinds of the configuration, sorted by name: for each definition, every served version that an entry
// names or includes by a wildcard. All entries of one kind with the same selectors are joined.
//
// A kind without a definition is included if its entry has a resourcePlural and no wildcard; it counts as namespaced.
// Kinds without a family that f selects are left out. The logger receives the issues of the kinds' objects.
func (c *Config) Kinds(definitions []Definition, f resources.Filter, logger *slog.Logger) []Kind {
	var kinds []Kind
	add := func(gvk schema.GroupVersionKind, plural string, namespaced bool) {
		var entries []*entry
		for _, e := range c.entries {
			if e.matches(gvk) {
				entries = append(entries, e)
			}
		}
		gvr := gvk.GroupVersion().WithResource(plural)
		if slices.ContainsFunc(kinds, func(k Kind) bool { return k.Resource == gvr }) {
			return
		}
		for i, s := range selections(entries) {
			k := Kind{
				Name: kindName(gvr, i), Resource: gvr, Namespaced: namespaced, LabelSelector: s.labels, FieldSelector: s.fields,
			}
			selected := slices.DeleteFunc(slices.Clone(entries), func(e *entry) bool { return e.selection != s })
			k.Renderer = newRenderer(gvk, selected, f, logger.With("resource", k.Name))
			if guard := protect(gvk, plural); guard != nil {
				guard.cut(&k.Renderer.shape)
				k.Form = guard.form(&k.Renderer.shape)
			}
			if len(k.Renderer.families) > 0 {
				kinds = append(kinds, k)
			}
		}
	}
	for _, d := range definitions {
		for _, version := range d.Versions {
			add(schema.GroupVersionKind{Group: d.Group, Version: version, Kind: d.Kind}, d.Plural, d.Namespaced)
		}
	}
	for _, e := range c.undefined(definitions) {
		if e.plural != "" {
			add(e.gvk, e.plural, true)
		}
	}
	slices.SortFunc(kinds, func(a, b Kind) int { return strings.Compare(a.Name, b.Name) })
	return kinds
}

// kindName returns the name of the kind for the selection with this index.
func kindName(gvr schema.GroupVersionResource, selection int) string {
	name := gvr.Resource + "." + gvr.Version
	if gvr.Group != "" {
		name += "." + gvr.Group
	}
	if selection > 0 {
		name += ":" + strconv.Itoa(selection+1)
	}
	return name
}

// undefined returns the entries that name a single kind without a definition.
func (c *Config) undefined(definitions []Definition) []*entry {
	var all []*entry
	for _, e := range c.entries {
		defined := slices.ContainsFunc(definitions, func(d Definition) bool {
			return d.Group == e.gvk.Group && d.Kind == e.gvk.Kind
		})
		if e.gvk.Version != wildcard && e.gvk.Kind != wildcard && !defined {
			all = append(all, e)
		}
	}
	return all
}

// unmatched describes the entries without a kind, for messages.
func (c *Config) unmatched(kinds []Kind) []string {
	var all []string
	for _, e := range c.entries {
		if !slices.ContainsFunc(kinds, func(k Kind) bool { return e.matches(k.Renderer.gvk) }) {
			all = append(all, describe(e.gvk))
		}
	}
	return all
}
