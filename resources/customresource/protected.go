package customresource

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/statefleet/statefleet/internal/wire"
)

// protection states which fields may be read of a kind with values that must not be read. Those values are not even
// requested from the API server.
type protection struct {
	what   string   // the objects, for messages
	fields []string // the only members of an object that may be read
}

// protect returns the protection of a kind of the core group, by its name or its plural, or nil if it has none. The
// plural counts because a configuration may give the plural of another kind.
func protect(gvk schema.GroupVersionKind, plural string) *protection {
	is := func(kind, resource string) bool { return strings.EqualFold(gvk.Kind, kind) || plural == resource }
	switch {
	case gvk.Group != "":
		return nil
	case is("Secret", "secrets"):
		return &protection{"Secrets", []string{"metadata", "type"}}
	case is("ConfigMap", "configmaps"):
		return &protection{"ConfigMaps", []string{"metadata"}}
	}
	return nil
}

// check reports the metrics of an entry that read other fields as errors.
func (p *protection) check(e *entry, seen *reading) {
	for _, m := range e.metrics {
		for _, read := range m.paths() {
			if len(read) == 0 || read[0].kind != byName || !slices.Contains(p.fields, read[0].name) {
				seen.fail(m.place, "the values of %s are never exported: a path must begin with %s, got %q",
					p.what, strings.Join(p.fields, " or "), read)
			}
		}
	}
}

// form returns the form to request from the API server, so that it sends no other fields.
func (p *protection) form(s *shape) wire.Form {
	f := wire.Form{Metadata: true, JSON: true}
	if slices.Contains(p.fields, "type") && s.member([]byte("type")) != nil {
		f.Column, f.Field = "Type", "type"
	}
	return f
}

// cut removes everything from a shape that must not be read, because objects may also come from other sources than the
// API server.
func (p *protection) cut(s *shape) {
	kept, before := shape{named: map[string]*shape{}}, *s
	for _, name := range p.fields {
		if below := before.member([]byte(name)); below != nil {
			kept.named[name] = below
		}
	}
	*s = kept
}

// paths returns all paths of the metric, relative to the object.
func (m *metric) paths() (all []path) {
	for _, l := range m.labels.read {
		all = append(all, l.path)
	}
	e := m.each
	for _, l := range e.labels.read {
		all = append(all, slices.Concat(e.path, l.path))
	}
	if e.kind != typeInfo || e.byKey != "" {
		all = append(all, slices.Concat(e.path, e.valueFrom))
	}
	return all
}
