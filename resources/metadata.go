package resources

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// named identifies a namespaced object by namespace and name.
func namespaceAndName[T any, P object[T]](label string) func(*T, *SampleWriter) {
	return func(o *T, w *SampleWriter) {
		w.setIdentity("namespace", P(o).GetNamespace(), label, P(o).GetName())
	}
}

// namedWithUID is named with the uid label behind it.
func namespaceNameUID[T any, P object[T]](label string) func(*T, *SampleWriter) {
	return func(o *T, w *SampleWriter) {
		w.setIdentity("namespace", P(o).GetNamespace(), label, P(o).GetName(), "uid", string(P(o).GetUID()))
	}
}

// clusterScoped identifies an object without namespace by its name.
func nameOnly[T any, P object[T]](label string) func(*T, *SampleWriter) {
	return func(o *T, w *SampleWriter) { w.setIdentity(label, P(o).GetName()) }
}

// withEmptyNamespace is clusterScoped for the kinds whose families have carried
// an empty namespace label from the beginning.
func emptyNamespaceAndName[T any, P object[T]](label string) func(*T, *SampleWriter) {
	return func(o *T, w *SampleWriter) { w.setIdentity("namespace", "", label, P(o).GetName()) }
}

// createdFamily declares NAME_created.
func createdFamily[T any, P object[T]](level Stability, name, what string) family[T] {
	return gauge(level, name, "Time when the "+what+" was created, in unix seconds.", func(o *T, w *SampleWriter) {
		w.Time(P(o).GetCreationTimestamp())
	})
}

// deletionFamily declares NAME_deletion_timestamp.
func deletionFamily[T any, P object[T]](level Stability, name, what string) family[T] {
	return withUnit(UnixSeconds, gauge(level, name, "Time after which the "+what+" will be gone, in unix seconds; only while it is being deleted.", func(o *T, w *SampleWriter) {
		w.TimePtr(P(o).GetDeletionTimestamp())
	}))
}

// generationFamily declares NAME_metadata_generation.
func generationFamily[T any, P object[T]](level Stability, name, what string) family[T] {
	return gauge(level, name, "Generation of the desired state of the "+what+", a number that grows with each change.", func(o *T, w *SampleWriter) {
		w.Int(P(o).GetGeneration())
	})
}

// resourceVersionFamily declares NAME_metadata_resource_version. A version that
// is no number gives no sample; the API promises only that it is opaque.
func resourceVersionFamily[T any, P object[T]](level Stability, name, what string) family[T] {
	return gauge(level, name, "Resource version of the "+what+" as a number, which grows with each write to it.", func(o *T, w *SampleWriter) {
		v, err := strconv.ParseFloat(P(o).GetResourceVersion(), 64)
		if err == nil && v-v == 0 { // neither infinite nor NaN
			w.Value(v)
		}
	})
}

// conditionStatus appends the three samples that tell a condition's status,
// with labels before the status; the label that holds the status is named last.
func (w *SampleWriter) conditionStatus(status corev1.ConditionStatus, statusLabel string, labels ...string) {
	var room [8]string
	pairs := append(append(room[:0], labels...), statusLabel, "")
	for _, s := range [...]struct {
		status corev1.ConditionStatus
		value  string
	}{{corev1.ConditionTrue, "true"}, {corev1.ConditionFalse, "false"}, {corev1.ConditionUnknown, "unknown"}} {
		pairs[len(pairs)-1] = s.value
		w.UniqueSample(boolValue(status == s.status), pairs...)
	}
}
