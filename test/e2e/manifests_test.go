package e2e

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/manifest"
)

// manifestsAreAcceptedAndSettle applies everything twice. The API server must accept every object without an unknown
// field, and the second time must change nothing.
func (w *world) manifestsAreAcceptedAndSettle(t *testing.T) {
	w.installPodMonitorKind(t)
	first := w.apply(t, manifest.PrometheusOperator)
	second := w.apply(t, manifest.PrometheusOperator)
	for i, object := range second {
		if before := first[i].GetResourceVersion(); object.GetResourceVersion() != before {
			t.Errorf("%s %s changed when it was applied again: got resourceVersion %s, want %s", object.GetKind(), object.GetName(), object.GetResourceVersion(), before)
		}
	}
}

// apply applies a kustomization and returns its objects as the API server returned them.
func (w *world) apply(t *testing.T, folder string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := manifest.Build(folder)
	if err != nil {
		t.Fatal(err)
	}
	applier, err := manifest.NewApplier(w.cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	for i := range objects {
		if objects[i], err = applier.Apply(t.Context(), objects[i]); err != nil {
			t.Fatal(err)
		}
	}
	return objects
}

func (w *world) installPodMonitorKind(t *testing.T) {
	t.Helper()
	applier, err := manifest.NewApplier(w.cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := applier.Apply(t.Context(), manifest.Definition("monitoring.coreos.com", "PodMonitor")); err != nil {
		t.Fatal(err)
	}
	fleet.Eventually(t, "the API server serves the new kind", func(ctx context.Context) error {
		return w.cluster.Client().Discovery().RESTClient().Get().AbsPath("/apis/monitoring.coreos.com/v1/podmonitors").Do(ctx).Error()
	})
}
