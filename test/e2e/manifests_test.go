package e2e

import (
	"context"
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/manifest"
)

// manifestsAreAcceptedAndSettle applies everything twice: the API server must take every object without an unknown field,
// and a second time must change nothing.
func (w *world) manifestsAreAcceptedAndSettle(t *testing.T) {
	w.installPodMonitorKind(t)
	first := w.apply(t, manifest.PrometheusOperator)
	second := w.apply(t, manifest.PrometheusOperator)
	for i, object := range second {
		if before := first[i].GetResourceVersion(); object.GetResourceVersion() != before {
			t.Errorf("%s %s changed when it was applied again: version %s, was %s", object.GetKind(), object.GetName(), object.GetResourceVersion(), before)
		}
	}
}

// apply applies a kustomization and returns its objects as the API server has them.
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

// podMonitorKind stands in for the operator's definition: it takes any spec, so it proves name, group and placement of the
// object and not its fields.
const podMonitorKind = `{
	"apiVersion": "apiextensions.k8s.io/v1",
	"kind": "CustomResourceDefinition",
	"metadata": {"name": "podmonitors.monitoring.coreos.com", "annotations": {"api-approved.kubernetes.io": "unapproved, test only"}},
	"spec": {
		"group": "monitoring.coreos.com",
		"names": {"kind": "PodMonitor", "plural": "podmonitors", "singular": "podmonitor", "listKind": "PodMonitorList"},
		"scope": "Namespaced",
		"versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
			"type": "object", "x-kubernetes-preserve-unknown-fields": true
		}}}]
	}
}`

func (w *world) installPodMonitorKind(t *testing.T) {
	t.Helper()
	definition := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(podMonitorKind), definition); err != nil {
		t.Fatal(err)
	}
	applier, err := manifest.NewApplier(w.cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := applier.Apply(t.Context(), definition); err != nil {
		t.Fatal(err)
	}
	fleet.Eventually(t, "the API server serves the new kind", func(ctx context.Context) error {
		return w.cluster.Client().Discovery().RESTClient().Get().AbsPath("/apis/monitoring.coreos.com/v1/podmonitors").Do(ctx).Error()
	})
}
