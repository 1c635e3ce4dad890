package test

import (
	"testing"
)

// TestSavedStateInTheChartIsTheComponent checks that savedState.enabled has the effect of the component saved-state,
// and with persistence that of saved-state-volume.
func TestSavedStateInTheChartIsTheComponent(t *testing.T) {
	for values, component := range map[string]string{
		`{savedState: {enabled: true}}`:                               "saved-state",
		`{savedState: {enabled: true, persistence: {enabled: true}}}`: "saved-state-volume",
	} {
		got := workload(t, rendered(t, values))
		if err := savesState(got, component == "saved-state-volume"); err != nil {
			t.Errorf("%s: %v", values, err)
		}
		all := buildWith(t, component)
		want := workload(t, all)
		equal(t, "volumes", got.Spec.Template.Spec.Volumes, want.Spec.Template.Spec.Volumes)
		equal(t, "claims", got.Spec.VolumeClaimTemplates, want.Spec.VolumeClaimTemplates)
		equal(t, "mounts", got.Spec.Template.Spec.Containers[0].VolumeMounts, want.Spec.Template.Spec.Containers[0].VolumeMounts)
	}
	off := workload(t, rendered(t, `{savedState: {persistence: {enabled: true}}}`))
	if len(off.Spec.VolumeClaimTemplates) > 0 || savesState(off, true) == nil {
		t.Error("savedState.persistence.enabled alone has an effect, want none")
	}
}

func TestSavedStateTakesSizeAndStorageClass(t *testing.T) {
	set := workload(t, rendered(t, `{savedState: {enabled: true, size: 5Gi, persistence: {enabled: true, storageClassName: fast}}}`))
	spec := set.Spec.VolumeClaimTemplates[0].Spec
	if size := spec.Resources.Requests.Storage().String(); size != "5Gi" || spec.StorageClassName == nil || *spec.StorageClassName != "fast" {
		t.Errorf("got size %s, storage class %v; want 5Gi, fast", size, spec.StorageClassName)
	}
}
