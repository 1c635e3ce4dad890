package customresource

import (
	"maps"
	"slices"
	"strings"
)

// label is one label of a sample.
type label struct{ name, value string }

// labels are the labels of a sample. If several have the same name, the last one counts.
type labels []label

// normalize sorts the labels by name and keeps the last one of each name.
func (l labels) normalize() labels {
	slices.SortStableFunc(l, func(a, b label) int { return strings.Compare(a.name, b.name) })
	kept := l[:0]
	for i := range l {
		if i+1 == len(l) || l[i].name != l[i+1].name {
			kept = append(kept, l[i])
		}
	}
	return kept
}

// labelSource states where labels come from. Labels that are read replace fixed ones. Labels of single values, which
// come last in read, replace those that are copied from maps.
type labelSource struct {
	fixed labels
	read  []labelPath
}

// labelPath is a label that is read from an object, or a map whose members become labels.
type labelPath struct {
	name  string // of the label, or the prefix of the labels that are copied from a map
	isMap bool
	path  path
}

// newLabelSource joins fixed labels with those read from paths. A key that ends with a star copies a map, with the text
// before the star as the prefix. A key that begins with a star copies a map without a prefix. Maps are copied in the
// order of their keys.
func newLabelSource(fixed map[string]string, read map[string]path) labelSource {
	var s labelSource
	for _, name := range slices.Sorted(maps.Keys(fixed)) {
		s.fixed = append(s.fixed, label{labelName(name), fixed[name]})
	}
	var single []labelPath
	for _, key := range slices.Sorted(maps.Keys(read)) {
		if prefix, ok := strings.CutSuffix(key, "*"); ok {
			s.read = append(s.read, labelPath{prefix, true, read[key]})
		} else if strings.HasPrefix(key, "*") {
			s.read = append(s.read, labelPath{"", true, read[key]})
		} else {
			single = append(single, labelPath{labelName(key), false, read[key]})
		}
	}
	s.read = append(s.read, single...)
	return s
}

// append appends the labels of v. A missing value gives no label, and an empty text an empty one. Users choose the keys
// of maps, so mayCopy decides about each label that is copied from a map.
func (s *labelSource) append(l labels, v *value, mayCopy func(name string) bool) labels {
	l = append(l, s.fixed...)
	for i := range s.read {
		p := &s.read[i]
		from := p.path.get(v)
		switch {
		case !p.isMap && !from.isNull():
			l = append(l, label{p.name, from.label()})
		case p.isMap && from.isObject():
			for i := range from.items {
				if name := labelName(p.name + from.items[i].name); mayCopy(name) {
					l = append(l, label{name, from.items[i].label()})
				}
			}
		}
	}
	return l
}

// addTo adds the parts of a value that the labels read to its shape.
func (s *labelSource) addTo(value *shape) {
	for _, p := range s.read {
		value.add(p.path)
	}
}

// copyable reports whether a label that is copied from a map may have this name. It must not be that of a common label,
// which the configuration sets, nor one that identifies targets in Prometheus, nor one that Prometheus reserves.
func (l labels) copyable(name string) bool {
	if name == "job" || name == "instance" || strings.HasPrefix(name, "__") {
		return false
	}
	return !slices.ContainsFunc(l, func(common label) bool { return common.name == name })
}

// labelName makes a name valid in every exposition format: invalid characters become underscores.
func labelName(s string) string {
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return labelName("_" + s)
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			return r
		}
		return '_'
	}, s)
}
