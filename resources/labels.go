package resources

import (
	"strconv"
	"strings"

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

// mapSample appends one sample with the value 1 and the allowed entries of values as labels, sorted by key.
func (w *SampleWriter) mapSample(prefix string, values map[string]string, allowed func(key string) bool) {
	if w.full {
		return
	}
	pairs := make([]string, 0, 2*len(values))
	for key, value := range sorted(w, values) {
		if key != lastApplied && allowed(key) {
			pairs = append(pairs, labelName(prefix, key), value)
		}
	}
	distinguish(pairs)
	w.Sample(1, pairs...)
}

// allowAll allows every key, for families without an allowlist.
func allowAll(string) bool { return true }

// labelName returns the prefix and a Kubernetes key as a Prometheus label name: characters that are not allowed become
// underscores, and camelCase becomes snake_case.
func labelName(prefix, key string) string {
	var b strings.Builder
	b.Grow(len(prefix) + len(key))
	b.WriteString(prefix)
	lower := false // whether an upper-case letter begins a new word here
	for _, r := range key {
		switch {
		case r >= 'A' && r <= 'Z':
			if lower {
				b.WriteByte('_')
			}
			b.WriteByte(byte(r) + 'a' - 'A')
			lower = false
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteByte(byte(r))
			lower = true
		default:
			b.WriteByte('_')
			lower = false
		}
	}
	return b.String()
}

// distinguish makes the names in a list of name, value pairs distinct. Each of several equal names gets a suffix
// _conflictN, in their order. N counts up over the names that are taken, as in kube-state-metrics: a key that looks like
// such a name takes it if it comes first, and conflicts with it if it comes later.
func distinguish(pairs []string) {
	taken := map[string]int{}     // a name's index
	conflicts := map[string]int{} // the last N by the name without suffix
	rename := func(i int, name string) {
		for {
			conflicts[name]++
			next := name + "_conflict" + strconv.Itoa(conflicts[name])
			if _, isTaken := taken[next]; !isTaken {
				pairs[i], taken[next] = next, i
				return
			}
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		name := pairs[i]
		first, isTaken := taken[name]
		switch {
		case conflicts[name] > 0:
			rename(i, name)
		case isTaken:
			rename(first, name)
			delete(taken, name)
			rename(i, name)
		default:
			taken[name] = i
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
