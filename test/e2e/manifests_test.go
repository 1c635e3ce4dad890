package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/test/controlplane"
	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/manifest"
)

// monitoringGroup is the API group of the Prometheus Operator.
const monitoringGroup = "monitoring.coreos.com"

// manifestsAreAcceptedAndSettle applies everything twice. The API server must accept every object without an unknown
// field, and the second time must change nothing.
func (w *world) manifestsAreAcceptedAndSettle(t *testing.T) {
	installKinds(t, w.cluster, map[string]string{"PodMonitor": monitoringGroup})
	first := apply(t, w.cluster, manifest.PrometheusOperator)
	second := apply(t, w.cluster, manifest.PrometheusOperator)
	for i, object := range second {
		if before := first[i].GetResourceVersion(); object.GetResourceVersion() != before {
			t.Errorf("%s %s changed when it was applied again: got resourceVersion %s, want %s", object.GetKind(), object.GetName(), object.GetResourceVersion(), before)
		}
	}
}

// apply applies the objects of a kustomization that all wanted accept, and returns them as the API server returned them.
func apply(t *testing.T, cluster *controlplane.Cluster, folder string, wanted ...func(*unstructured.Unstructured) bool) []*unstructured.Unstructured {
	t.Helper()
	objects, err := manifest.Build(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, accept := range wanted {
		objects = slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool { return !accept(o) })
	}
	return applyObjects(t, cluster, objects)
}

// applyObjects applies objects, and returns them as the API server returned them.
func applyObjects(t *testing.T, cluster *controlplane.Cluster, objects []*unstructured.Unstructured) (stored []*unstructured.Unstructured) {
	t.Helper()
	applier := newApplier(t, cluster.Config())
	for _, object := range objects {
		object, err := applier.Apply(t.Context(), object)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, object)
	}
	return stored
}

func newApplier(t *testing.T, config *rest.Config) *manifest.Applier {
	t.Helper()
	applier, err := manifest.NewApplier(config)
	if err != nil {
		t.Fatal(err)
	}
	return applier
}

// installKinds installs stand-ins for kinds, whose groups are given, and waits until the API server serves them. They
// accept any spec, because the tests that render the manifests check the types of fields.
func installKinds(t *testing.T, cluster *controlplane.Cluster, groups map[string]string) {
	t.Helper()
	applier := newApplier(t, cluster.Config())
	for kind, group := range groups {
		if _, err := applier.Apply(t.Context(), manifest.Definition(group, kind)); err != nil {
			t.Fatal(err)
		}
		fleet.Eventually(t, "the API server serves "+kind, func(ctx context.Context) error {
			return cluster.Client().Discovery().RESTClient().Get().AbsPath("/apis/" + group + "/v1/" + strings.ToLower(kind) + "s").Do(ctx).Error()
		})
	}
}
