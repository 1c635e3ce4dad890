package resources

import "strconv"

// namespaceAndName identifies a namespaced object.
func namespaceAndName[T any, P object[T]](label string) identity[T] {
	return identity[T]{true, func(o *T, w *SampleWriter) {
		w.setIdentity("namespace", P(o).GetNamespace(), label, P(o).GetName())
	}}
}

// namespaceNameUID is namespaceAndName followed by the uid label.
func namespaceNameUID[T any, P object[T]](label string) identity[T] {
	return identity[T]{true, func(o *T, w *SampleWriter) {
		w.setIdentity("namespace", P(o).GetNamespace(), label, P(o).GetName(), "uid", string(P(o).GetUID()))
	}}
}

// nameOnly identifies an object without namespace.
func nameOnly[T any, P object[T]](label string) identity[T] {
	return identity[T]{false, func(o *T, w *SampleWriter) { w.setIdentity(label, P(o).GetName()) }}
}

// emptyNamespaceAndName is nameOnly for the kinds whose families have an empty namespace label in
// kube-state-metrics.
func emptyNamespaceAndName[T any, P object[T]](label string) identity[T] {
	return identity[T]{false, func(o *T, w *SampleWriter) { w.setIdentity("namespace", "", label, P(o).GetName()) }}
}

// createdFamily declares NAME_created.
func createdFamily[T any, P object[T]](level Stability, name, noun string) family[T] {
	return gauge(level, name, "Time when the "+noun+" was created, in unix seconds.", func(o *T, w *SampleWriter) {
		created := P(o).GetCreationTimestamp()
		w.Time(&created)
	})
}

// deletionFamily declares NAME_deletion_timestamp.
func deletionFamily[T any, P object[T]](level Stability, name, noun string) family[T] {
	return withUnit(UnixSeconds, gauge(level, name, "Time by which the "+noun+" should be deleted, in unix seconds; only while it is being deleted.", func(o *T, w *SampleWriter) {
		w.Time(P(o).GetDeletionTimestamp())
	}))
}

// generationFamily declares NAME_metadata_generation.
func generationFamily[T any, P object[T]](level Stability, name, noun string) family[T] {
	return gauge(level, name, "Generation of the desired state of the "+noun+", a number that grows with each change.", func(o *T, w *SampleWriter) {
		w.Int(P(o).GetGeneration())
	})
}

// resourceVersionFamily declares NAME_metadata_resource_version. A version that is not a number gives no sample: the
// API promises only that versions are opaque.
func resourceVersionFamily[T any, P object[T]](level Stability, name, noun string) family[T] {
	return gauge(level, name, "Resource version of the "+noun+" as a number, which grows with each write to it.", func(o *T, w *SampleWriter) {
		v, err := strconv.ParseFloat(P(o).GetResourceVersion(), 64)
		if err == nil && v-v == 0 { // neither infinite nor NaN
			w.Value(v)
		}
	})
}
