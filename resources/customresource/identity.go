package customresource

import "slices"

// shares says what may happen to a metric whose labels do not identify the object.
const shares = "several objects may give the same series; labels from [metadata, name] and, in namespaces, [metadata, namespace], " +
	"or from [metadata, uid], are expected"

// identity says which parts of an object's identity the labels of a metric hold.
type identity struct{ name, namespace, uid bool }

// complete reports whether no two objects of a kind have the same labels.
func (i identity) complete(namespaced bool) bool {
	return i.uid || i.name && (i.namespace || !namespaced)
}

func (i identity) with(p path) identity {
	return identity{
		name:      i.name || p.covers("name"),
		namespace: i.namespace || p.covers("namespace"),
		uid:       i.uid || p.covers("uid"),
	}
}

// identifies returns the identity in the labels of each of the metric's series. A
// label of the nearer kind replaces one of the same name: what it hides is not there.
func (m *metric) identifies() identity {
	own, names := m.each.identifying()
	var i identity
	for _, s := range m.labels.maps {
		i = i.with(s.path)
	}
	for _, s := range own.maps {
		i = i.with(s.path)
	}
	for _, s := range m.labels.paths {
		hidden := slices.Contains(names, s.name) || slices.ContainsFunc(own.paths, func(o pathSource) bool { return o.name == s.name })
		if !hidden {
			i = i.with(s.path)
		}
	}
	for _, s := range own.paths {
		i = i.with(s.path)
	}
	return i
}

// covers reports whether p leads from an object to that member of its metadata, or
// to what contains it.
func (p path) covers(member string) bool {
	whole := []string{"metadata", member}
	if len(p) > len(whole) {
		return false
	}
	for i, s := range p {
		if s.kind != byName || s.name != whole[i] {
			return false
		}
	}
	return true
}

// identifying returns the labels of each with paths from the object, and the names
// of those that have other values.
func (e *source) identifying() (own labelSource, names []string) {
	for _, s := range e.labels.maps {
		own.maps = append(own.maps, mapSource{s.prefix, slices.Concat(e.path, s.path)})
	}
	for _, s := range e.labels.paths {
		own.paths = append(own.paths, pathSource{s.name, slices.Concat(e.path, s.path)})
	}
	if e.byKey != "" {
		names = append(names, e.byKey)
	}
	return own, names
}

func (t *stateSet) identifying() (own labelSource, names []string) {
	own, names = t.source.identifying()
	return own, append(names, t.labelName)
}
