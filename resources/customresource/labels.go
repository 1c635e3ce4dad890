package customresource

import (
	"maps"
	"slices"
	"strings"
)

// label is one label of a sample.
type label struct{ name, value string }

// labels are the labels of a sample; where a name stands twice, the later wins.
type labels []label

// settle sorts the labels by name and leaves one of each name.
func (l labels) settle() labels {
	slices.SortStableFunc(l, func(a, b label) int { return strings.Compare(a.name, b.name) })
	kept := l[:0]
	for i := range l {
		if i+1 == len(l) || l[i].name != l[i+1].name {
			kept = append(kept, l[i])
		}
	}
	return kept
}

// labelSource says where labels come from: what is fixed, the maps that are
// copied, and single values. Each wins over those before it.
type labelSource struct {
	fixed labels
	maps  []mapSource
	paths []pathSource
}

type mapSource struct {
	prefix string
	path   path
}

type pathSource struct {
	name string
	path path
}

// newLabelSource joins fixed labels with those read from paths. A key that ends
// with a star copies a map, with the text before the star as the prefix, and so
// does one that begins with a star, without a prefix. Maps are copied in the order
// of their keys, so that the last one wins.
func newLabelSource(fixed map[string]string, from map[string]path) labelSource {
	var s labelSource
	for _, name := range slices.Sorted(maps.Keys(fixed)) {
		s.fixed = append(s.fixed, label{labelName(name), fixed[name]})
	}
	keys := slices.Sorted(maps.Keys(from))
	for _, key := range keys {
		if prefix, isMap := copies(key); isMap {
			s.maps = append(s.maps, mapSource{prefix, from[key]})
		}
	}
	for _, key := range keys {
		if _, isMap := copies(key); !isMap {
			s.paths = append(s.paths, pathSource{labelName(key), from[key]})
		}
	}
	return s
}

// copies reports whether a key of labelsFromPath copies a map, and with what prefix.
func copies(key string) (prefix string, ok bool) {
	if prefix, ok = strings.CutSuffix(key, "*"); ok {
		return prefix, true
	}
	return "", strings.HasPrefix(key, "*")
}

// append appends the labels that v gives. What is missing gives no label; an
// empty text gives an empty one. Of the members of a map, whose keys users choose, only
// those become labels that may.
func (s *labelSource) append(l labels, v *value, may func(name string) bool) labels {
	l = append(l, s.fixed...)
	for _, m := range s.maps {
		from := m.path.get(v)
		if !from.isObject() {
			continue
		}
		for i := range from.items {
			name := labelName(m.prefix + from.items[i].name)
			if may(name) {
				l = append(l, label{name, from.items[i].label()})
			}
		}
	}
	for _, p := range s.paths {
		if from := p.path.get(v); !from.isNull() {
			l = append(l, label{p.name, from.label()})
		}
	}
	return l
}

// reach returns the paths that the labels are read from.
func (s *labelSource) reach() []path {
	var all []path
	for _, m := range s.maps {
		all = append(all, m.path)
	}
	for _, p := range s.paths {
		all = append(all, p.path)
	}
	return all
}

// copyable reports whether a label that is copied from a map may have a name: not that of
// a common label, which the configuration sets, nor one by which Prometheus tells its
// targets apart, nor one that it keeps for itself.
func (l labels) copyable(name string) bool {
	if name == "job" || name == "instance" || strings.HasPrefix(name, "__") {
		return false
	}
	return !slices.ContainsFunc(l, func(common label) bool { return common.name == name })
}

// labelName makes a name into one that Prometheus takes in every format: what
// is not allowed becomes an underscore.
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
