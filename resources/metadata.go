package resources

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// named identifies a namespaced object by namespace and name.
func named[T any, P object[T]](label string) func(*T, *Out) {
	return func(o *T, m *Out) {
		m.identify("namespace", P(o).GetNamespace(), label, P(o).GetName())
	}
}

// namedWithUID is named with the uid label behind it.
func namedWithUID[T any, P object[T]](label string) func(*T, *Out) {
	return func(o *T, m *Out) {
		m.identify("namespace", P(o).GetNamespace(), label, P(o).GetName(), "uid", string(P(o).GetUID()))
	}
}

// clusterScoped identifies an object without namespace by its name.
func clusterScoped[T any, P object[T]](label string) func(*T, *Out) {
	return func(o *T, m *Out) { m.identify(label, P(o).GetName()) }
}

// withEmptyNamespace is clusterScoped for the kinds whose families have carried
// an empty namespace label from the beginning.
func withEmptyNamespace[T any, P object[T]](label string) func(*T, *Out) {
	return func(o *T, m *Out) { m.identify("namespace", "", label, P(o).GetName()) }
}

// createdFamily declares NAME_created.
func createdFamily[T any, P object[T]](level Stability, name, what string) family[T] {
	return gauge(level, name, "Time when the "+what+" was created, in unix seconds.", func(o *T, m *Out) {
		m.Time(P(o).GetCreationTimestamp())
	})
}

// deletionFamily declares NAME_deletion_timestamp.
func deletionFamily[T any, P object[T]](level Stability, name, what string) family[T] {
	return measured(UnixSeconds, gauge(level, name, "Time after which the "+what+" will be gone, in unix seconds; only while it is being deleted.", func(o *T, m *Out) {
		m.TimePtr(P(o).GetDeletionTimestamp())
	}))
}

// generationFamily declares NAME_metadata_generation.
func generationFamily[T any, P object[T]](level Stability, name, what string) family[T] {
	return gauge(level, name, "Generation of the desired state of the "+what+", a number that grows with each change.", func(o *T, m *Out) {
		m.Int(P(o).GetGeneration())
	})
}

// resourceVersionFamily declares NAME_metadata_resource_version. A version that
// is no number gives no sample; the API promises only that it is opaque.
func resourceVersionFamily[T any, P object[T]](level Stability, name, what string) family[T] {
	return gauge(level, name, "Resource version of the "+what+" as a number, which grows with each write to it.", func(o *T, m *Out) {
		v, err := strconv.ParseFloat(P(o).GetResourceVersion(), 64)
		if err == nil && v-v == 0 { // neither infinite nor NaN
			m.Value(v)
		}
	})
}

// conditionStatus appends the three samples that tell a condition's status,
// with labels before the status; the label that holds the status is named last.
func (m *Out) conditionStatus(status corev1.ConditionStatus, statusLabel string, labels ...string) {
	var room [8]string
	pairs := append(append(room[:0], labels...), statusLabel, "")
	for _, s := range [...]struct {
		status corev1.ConditionStatus
		value  string
	}{{corev1.ConditionTrue, "true"}, {corev1.ConditionFalse, "false"}, {corev1.ConditionUnknown, "unknown"}} {
		pairs[len(pairs)-1] = s.value
		m.Once(boolValue(status == s.status), pairs...)
	}
}
