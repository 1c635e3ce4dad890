package customresource

import "slices"

// SharedFamilies returns the families, by index, of which two objects may give the same
// series: those with a sample that lacks the object's identity, which is its uid, or its
// name and, unless the kind has no namespaces, its namespace.
func (r *Renderer) SharedFamilies(namespaced bool) []int {
	var shared []int
	for i, metrics := range r.metrics {
		first := metrics[0].identityLabels(namespaced)
		// Labels that identify the objects of one metric may hold anything in another.
		other := func(m *reported) bool { return m.identityLabels(namespaced) != first }
		if first == (identityLabels{}) || slices.ContainsFunc(metrics, other) {
			shared = append(shared, i)
		}
	}
	return shared
}

// identityLabels are the names of labels that each sample of a metric has, and that
// together differ from one object to another: of the uid alone, or of the others. The
// zero value is for a metric that is not certain to have them.
type identityLabels struct{ uid, namespace, name string }

func (m *metric) identityLabels(namespaced bool) identityLabels {
	taken := reservedNames()
	if t, ok := m.each.(*stateSet); ok {
		taken = append(taken, t.labelName)
	}
	var found identityLabels
	own, atObject := ownSource(m.each)
	found.add(own.labels.paths, taken, atObject)
	for _, p := range own.labels.paths {
		taken = append(taken, p.name)
	}
	if len(own.labels.maps) == 0 { // a map, whose keys anybody may choose, can take the place of any other label
		found.add(m.labels.paths, append(taken, own.byKey), true)
	}
	switch {
	case found.uid != "":
		return identityLabels{uid: found.uid}
	case found.name == "" || namespaced && found.namespace == "":
		return identityLabels{}
	case !namespaced:
		return identityLabels{name: found.name}
	}
	return found
}

// ownSource returns where the labels come from that belong to single values, and whether
// they are always read from the object itself. Those of an info are also read from the
// members of a map.
func ownSource(e each) (own *source, atObject bool) {
	switch e := e.(type) {
	case *gauge:
		return &e.source, len(e.path) == 0
	case *stateSet:
		return &e.source, len(e.path) == 0
	case *info:
		return &e.source, false
	}
	return &source{}, false
}

// add notes the labels that are read from an object's identity, but for those whose names
// are taken by others, also of the same list.
func (l *identityLabels) add(from []pathSource, taken []string, atObject bool) {
	if !atObject {
		return
	}
	for i, p := range from {
		again := func(other pathSource) bool { return other.name == p.name }
		if slices.Contains(taken, p.name) || slices.ContainsFunc(from[i+1:], again) {
			continue
		}
		switch {
		case l.uid == "" && p.path.isMetadata("uid"):
			l.uid = p.name
		case l.namespace == "" && p.path.isMetadata("namespace"):
			l.namespace = p.name
		case l.name == "" && p.path.isMetadata("name"):
			l.name = p.name
		}
	}
}

// isMetadata reports whether the path leads to that field of an object's metadata.
func (p path) isMetadata(field string) bool {
	return len(p) == 2 && p[0].kind == byName && p[0].name == "metadata" && p[1].kind == byName && p[1].name == field
}

// reservedNames are the names of the labels that no configuration changes.
func reservedNames() []string {
	var names []string
	for _, l := range (&Renderer{}).reserved() {
		names = append(names, l.name)
	}
	return names
}
