package resources

import (
	"bytes"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// lastApplied holds the whole object as it was applied, values of Secrets included; it is cut from
// every object and can't be allowed.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// labelsFamily declares NAME_labels: an object's labels as far as the labels allowlist names them.
func labelsFamily[T any, P object[T]](level Stability, name, what string) family[T] {
	return mapFamily(level, name, "Always 1; gives the "+what+"'s allowed Kubernetes labels as label_ labels.", "label_", "metadata.labels",
		func(f Filter, resource string) *keys { return f.Labels.keys(resource) },
		func(o *T) map[string]string { return P(o).GetLabels() })
}

// annotationsFamily declares NAME_annotations: an object's annotations as far as the annotations
// allowlist names them.
func annotationsFamily[T any, P object[T]](level Stability, name, what string) family[T] {
	return mapFamily(level, name, "Always 1; gives the "+what+"'s allowed Kubernetes annotations as annotation_ labels.", "annotation_", "metadata.annotations",
		func(f Filter, resource string) *keys { return f.Annotations.keys(resource) },
		func(o *T) map[string]string { return P(o).GetAnnotations() })
}

func mapFamily[T any](level Stability, name, help, prefix, field string,
	allowed func(Filter, string) *keys, of func(*T) map[string]string,
) family[T] {
	f := gauge[T](level, name, help, nil)
	f.reads = []string{field}
	f.bind = func(resource string, filter Filter) func(*T, *SampleWriter) {
		k := allowed(filter, resource)
		if k == nil {
			return nil
		}
		return func(o *T, w *SampleWriter) { w.mapSample(prefix, of(o), k.allow) }
	}
	return f
}

// mapSample appends one sample with the value 1 that carries the allowed entries of values as
// labels: sorted by key, their keys made into label names.
func (w *SampleWriter) mapSample(prefix string, values map[string]string, allowed func(key string) bool) {
	if w.full {
		return
	}
	keys := w.keys[:0]
	for key := range values {
		if key != lastApplied && allowed(key) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	if !w.appendDistinctKeys(prefix, keys, values) {
		w.Sample(1, mapLabels(prefix, keys, values)...)
	}
	clear(keys) // nothing of the object is kept
	w.keys = keys
}

// allowAll is for the families that no allowlist restricts.
func allowAll(string) bool { return true }

// maxStackKeys is how many keys appendDistinctKeys takes: it compares each with each.
const maxStackKeys = 64

// appendDistinctKeys does what mapLabels does for the usual case, without garbage: few keys that
// become names of their own. Otherwise it does nothing.
func (w *SampleWriter) appendDistinctKeys(prefix string, keys []string, values map[string]string) bool {
	if len(keys) > maxStackKeys {
		return false
	}
	var room [maxStackKeys][2]int
	names := room[:0]
	b := w.beginSample()
	for _, key := range keys {
		from := len(b)
		b = appendLabelName(append(b, prefix...), key)
		for _, name := range names {
			if bytes.Equal(b[name[0]:name[1]], b[from:]) {
				return false
			}
		}
		names = append(names, [2]int{from, len(b)})
		b = appendLabelValue(b, values[key])
	}
	w.endSample(b, 1)
	return true
}

// mapLabels returns the named entries of values, keys sorted, as name, value pairs: keys made into
// label names, and told apart where two become one.
func mapLabels(prefix string, keys []string, values map[string]string) []string {
	var l labelNames
	l.names = make([]string, len(keys))
	l.taken = make(map[string]int, len(keys))
	pairs := make([]string, 2*len(keys))
	for i, key := range keys {
		l.put(i, prefix+labelName(key))
		pairs[2*i+1] = values[key]
	}
	for i, name := range l.names {
		pairs[2*i] = name
	}
	return pairs
}

func labelName(key string) string { return string(appendLabelName(nil, key)) }

// appendLabelName appends a Kubernetes key as a Prometheus label name: what is not allowed becomes
// an underscore, camelCase becomes snake_case.
func appendLabelName(dst []byte, key string) []byte {
	lower := false // whether the character before allows a new word to begin
	for _, r := range key {
		switch {
		case r >= 'A' && r <= 'Z':
			if lower {
				dst = append(dst, '_')
			}
			dst = append(dst, byte(r)+'a'-'A')
			lower = false
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			dst = append(dst, byte(r))
			lower = true
		default:
			dst = append(dst, '_')
			lower = false
		}
	}
	return dst
}

// labelNames gives each of several keys a name of its own. Where keys become the same name, all of
// them get a suffix _conflictN, the first one included, in the order of the keys. N counts up over
// the names that are taken, as in kube-state-metrics: a key that looks like such a name takes it if
// it comes first, and is in conflict with it if it comes later.
type labelNames struct {
	names     []string
	taken     map[string]int // the key's index by name
	conflicts map[string]int // the last N by the name without suffix
}

func (l *labelNames) put(i int, name string) {
	_, inConflict := l.conflicts[name]
	first, isTaken := l.taken[name]
	switch {
	case inConflict:
		l.putNext(i, name)
	case isTaken:
		if l.conflicts == nil {
			l.conflicts = map[string]int{}
		}
		l.putNext(first, name)
		delete(l.taken, name)
		l.putNext(i, name)
	default:
		l.names[i], l.taken[name] = name, i
	}
}

// putNext gives a key the next name with a suffix that is free.
func (l *labelNames) putNext(i int, name string) {
	for {
		l.conflicts[name]++
		next := name + "_conflict" + strconv.Itoa(l.conflicts[name])
		if _, isTaken := l.taken[next]; !isTaken {
			l.names[i], l.taken[next] = next, i
			return
		}
	}
}

// ownerFamily declares NAME_owner: who owns the object, one sample for each owner reference, one
// with empty labels when there is none.
func ownerFamily[T any, P object[T]](level Stability, name, what string) family[T] {
	return gauge(level, name, "Always 1; names an owner of the "+what+" by kind and name.", func(o *T, w *SampleWriter) {
		owners := P(o).GetOwnerReferences()
		for _, ref := range ownersOrNone(owners) {
			controls := ""
			if len(owners) > 0 {
				controls = strconv.FormatBool(isController(ref))
			}
			w.UniqueSample(1, "owner_kind", ref.Kind, "owner_name", ref.Name, "owner_is_controller", controls)
		}
	})
}

// ownersOrNone returns an empty reference for an object without owners: it has a sample, too.
func ownersOrNone(refs []metav1.OwnerReference) []metav1.OwnerReference {
	if len(refs) == 0 {
		return []metav1.OwnerReference{{}}
	}
	return refs
}

func isController(ref metav1.OwnerReference) bool { return ref.Controller != nil && *ref.Controller }
