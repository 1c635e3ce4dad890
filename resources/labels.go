package resources

import (
	"bytes"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// lastApplied is the annotation with the whole object as it was applied, including values of Secrets. It is cut from
// every object and cannot be allowed.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// labelsFamily declares NAME_labels: the labels of an object that the labels allowlist allows.
func labelsFamily[T any, P object[T]](level Stability, name, noun string) family[T] {
	return mapFamily(level, name, "Always 1; gives the "+noun+"'s allowed Kubernetes labels as label_ labels.", "label_", "metadata.labels",
		func(f Filter, resource string) *keys { return f.Labels.keys(resource) },
		func(o *T) map[string]string { return P(o).GetLabels() })
}

// annotationsFamily declares NAME_annotations: the annotations of an object that the annotations allowlist allows.
func annotationsFamily[T any, P object[T]](level Stability, name, noun string) family[T] {
	return mapFamily(level, name, "Always 1; gives the "+noun+"'s allowed Kubernetes annotations as annotation_ labels.", "annotation_", "metadata.annotations",
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

// mapSample appends one sample with the value 1 and the allowed entries of values as labels, sorted by key. The keys
// are converted to label names.
func (w *SampleWriter) mapSample(prefix string, values map[string]string, allowed func(key string) bool) {
	if w.full {
		return
	}
	var buf [maxStackKeys]string
	keys := buf[:0]
	for key := range sorted(w, values) {
		if key != lastApplied && allowed(key) {
			keys = append(keys, key)
		}
	}
	if !w.appendDistinctKeys(prefix, keys, values) {
		w.Sample(1, mapLabels(prefix, keys, values)...)
	}
}

// allowAll allows every key, for families without an allowlist.
func allowAll(string) bool { return true }

// maxStackKeys is the largest number of keys that appendDistinctKeys accepts, because it compares every pair.
const maxStackKeys = 64

// appendDistinctKeys appends the sample of mapSample without allocating memory. It handles the usual case: few keys,
// all with different label names. Otherwise it appends nothing and returns false.
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

// mapLabels returns the entries of values with the given keys, which are sorted, as name, value pairs. Keys are
// converted to label names, and equal names are made distinct.
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

// appendLabelName appends a Kubernetes key as a Prometheus label name: characters that are not allowed become
// underscores, and camelCase becomes snake_case.
func appendLabelName(dst []byte, key string) []byte {
	lower := false // whether an upper-case letter begins a new word here
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

// labelNames assigns distinct names to several keys. If keys become the same name, each of them gets a suffix
// _conflictN, in the order of the keys. N counts up over the names that are taken, as in kube-state-metrics: a key that
// looks like such a name takes it if it comes first, and conflicts with it if it comes later.
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

// putNext assigns the next free name with a suffix to a key.
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

// ownerFamily declares NAME_owner: one sample for each owner reference, or one with empty labels if there is none.
func ownerFamily[T any, P object[T]](level Stability, name, noun string) family[T] {
	return gauge(level, name, "Always 1; names an owner of the "+noun+" by kind and name.", func(o *T, w *SampleWriter) {
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

// ownersOrNone returns the references, or an empty one for an object without owners, which has a sample as well.
func ownersOrNone(refs []metav1.OwnerReference) []metav1.OwnerReference {
	if len(refs) == 0 {
		return []metav1.OwnerReference{{}}
	}
	return refs
}

func isController(ref metav1.OwnerReference) bool { return ref.Controller != nil && *ref.Controller }
