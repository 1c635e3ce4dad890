package e2e

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	library "github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/test/controlplane"
	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/manifest"
)

// TestEveryVariantServes installs every kustomization and every rendering of the chart, one after the other, by server-side
// apply: the API server must neither refuse nor warn. Then controllers make the pods, and each runs with a token of the
// account that it names, and so with the rights of exactly these manifests.
func TestEveryVariantServes(t *testing.T) {
	site := newSite(t)
	for _, name := range slices.Sorted(maps.Keys(variants(t))) {
		t.Run(name, func(t *testing.T) {
			i := site.install(t, variants(t)[name])
			if why := notRun(name); why != "" {
				t.Logf("installed, and not run: %s", why)
				return
			}
			i.run(t)
		})
	}
}

// notRun says why the pods of a variant cannot be processes of a test.
func notRun(name string) string {
	switch name {
	case "manifests/prometheus-operator":
		return "its pods are those of manifests/base"
	case "manifests/mixin/prometheusrule.yaml":
		return "it has no pods"
	case "manifests/chart/tests/rendered/everything.yaml":
		return "it has further containers, and certificates that no one issued"
	case "manifests/chart/tests/rendered/tls.yaml":
		return "processes have no Secrets mounted, and their probes no TLS; test/node runs it"
	}
	return ""
}

// variants are the objects of each way to install, by its path.
func variants(t *testing.T) map[string][]*unstructured.Unstructured {
	t.Helper()
	root, err := library.Root()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]*unstructured.Unstructured{}
	for _, pattern := range []string{"manifests/*/kustomization.yaml", "manifests/overlays/*/kustomization.yaml", "manifests/test/testdata/*/kustomization.yaml"} {
		for _, file := range matches(t, root, pattern) {
			folder := filepath.Dir(file)
			if all[folder], err = manifest.Build(folder); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, pattern := range []string{"manifests/chart/tests/rendered/*.yaml", "manifests/mixin/prometheusrule.yaml"} {
		for _, file := range matches(t, root, pattern) {
			all[file] = documents(t, file)
		}
	}
	return all
}

// matches are the files that match, relative to root; there must be some.
func matches(t *testing.T, root, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s matches nothing: %v", pattern, err)
	}
	for i := range files {
		if files[i], err = filepath.Rel(root, files[i]); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// documents are the objects of a file relative to the repository's root. Those without a namespace get the fleet's.
func documents(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := manifest.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if object.GetNamespace() == "" {
			object.SetNamespace(namespace)
		}
	}
	return objects
}

// warningList keeps what the API server warns of.
type warningList struct {
	mu    sync.Mutex
	texts []string
}

// HandleWarningHeaderWithContext implements rest.WarningHandlerWithContext.
func (w *warningList) HandleWarningHeaderWithContext(_ context.Context, _ int, _ string, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, text)
}

// take returns the warnings since it was last called.
func (w *warningList) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	texts := w.texts
	w.texts = nil
	return texts
}

// installKinds makes stand-ins for the kinds of the Prometheus Operator, and one that the chart's values expose. They take any
// spec; the types of fields are checked where the chart is rendered.
func installKinds(t *testing.T, cluster *controlplane.Cluster) {
	t.Helper()
	applier, err := manifest.NewApplier(cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	for kind, group := range map[string]string{
		"PodMonitor": "monitoring.coreos.com", "ServiceMonitor": "monitoring.coreos.com", "PrometheusRule": "monitoring.coreos.com",
		"Widget": "example.org",
	} {
		if _, err := applier.Apply(t.Context(), manifest.Definition(group, kind)); err != nil {
			t.Fatal(err)
		}
		fleet.Eventually(t, "the API server serves "+kind, func(ctx context.Context) error {
			return cluster.Client().Discovery().RESTClient().Get().AbsPath("/apis/" + group + "/v1/" + strings.ToLower(kind) + "s").Do(ctx).Error()
		})
	}
	widget := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "example.org/v1", "kind": "Widget", "metadata": map[string]any{"namespace": "default", "name": "one"},
		"status": map[string]any{"ready": true},
	}}
	fleet.Eventually(t, "the new kinds are discovered", func(ctx context.Context) error {
		applier, err := manifest.NewApplier(cluster.Config())
		if err == nil {
			_, err = applier.Apply(ctx, widget)
		}
		return err
	})
}
