package customresource

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// sharedSeries is the part of a warning that explains the consequence of labels that do not identify the object.
const sharedSeries = "several objects may give the same series; labels from [metadata, name] and, in namespaces, " +
	"[metadata, namespace], or from [metadata, uid], are expected"

// identity has the names of the labels that contain an object's uid, namespace and name; "" if no label does.
type identity struct{ uid, namespace, name string }

// complete reports whether no two objects of a kind have the same labels.
func (i identity) complete(namespaced bool) bool {
	return i.uid != "" || i.name != "" && (i.namespace != "" || !namespaced)
}

// minimal returns a part of i that is complete by itself, or the zero value if i is not complete.
func (i identity) minimal(namespaced bool) identity {
	switch {
	case i.uid != "":
		return identity{uid: i.uid}
	case !i.complete(namespaced):
		return identity{}
	case !namespaced:
		return identity{name: i.name}
	}
	return i
}

// identity returns the labels of the metric's series that contain the object's identity. Labels that others replace do
// not count. If certain, labels that may be missing or replaced in some objects do not count either: those copied from
// maps, and those of single values below the object.
func (m *metric) identity(certain bool) identity {
	var i identity
	e := m.each
	taken := []string{e.labelName}
	for _, l := range reservedLabels(schema.GroupVersionKind{}) {
		taken = append(taken, l.name)
	}
	copied := false
	for _, l := range slices.Backward(e.labels.read) { // the last one wins
		if !certain || len(e.path) == 0 && e.kind != typeInfo { // an info also reads them from the members of a map
			l.path = slices.Concat(e.path, l.path)
			i.add(l, taken, certain)
		}
		taken = append(taken, l.name)
		copied = copied || l.isMap
	}
	if certain && copied {
		return i // the keys of a map may replace all other labels
	}
	taken = append(taken, e.byKey)
	for _, l := range slices.Backward(m.labels.read) {
		i.add(l, taken, certain)
		taken = append(taken, l.name)
	}
	return i
}

// add records the part of the identity that a label of the object contains.
func (i *identity) add(l labelPath, taken []string, certain bool) {
	name := l.name
	switch {
	case l.isMap && certain, !l.isMap && slices.Contains(taken, name):
		return
	case l.isMap:
		name += wildcard
	}
	if l.path.holds("uid", certain) {
		i.uid = name
	}
	if l.path.holds("namespace", certain) {
		i.namespace = name
	}
	if l.path.holds("name", certain) {
		i.name = name
	}
}

// holds reports whether p leads to that field of an object's metadata or, unless exact, to a value
// that contains it.
func (p path) holds(field string, exact bool) bool {
	whole := []string{"metadata", field}
	if len(p) > len(whole) || exact && len(p) < len(whole) {
		return false
	}
	for i, s := range p {
		if s.kind != byName || s.name != whole[i] {
			return false
		}
	}
	return true
}

// SharedFamilies returns the indexes of the families in which two objects may give the same series. These have a sample
// without the object's uid, and without its name or, unless the kind has no namespaces, its namespace.
func (r *Renderer) SharedFamilies(namespaced bool) []int {
	var shared []int
	for i, metrics := range r.metrics {
		first := metrics[0].identity(true).minimal(namespaced)
		// Labels that identify the objects of one metric may have any value in another.
		differs := func(m *reported) bool { return m.identity(true).minimal(namespaced) != first }
		if first == (identity{}) || slices.ContainsFunc(metrics, differs) {
			shared = append(shared, i)
		}
	}
	return shared
}
