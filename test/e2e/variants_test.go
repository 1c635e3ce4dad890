package e2e

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	library "github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/test/manifest"
)

// TestEveryVariantServes installs every kustomization and every rendering of the chart by server-side apply, one after
// the other. The API server must neither reject an object nor return a warning. Controllers then create the pods, and
// each runs with a token of the service account that it names, so with exactly the rights that these manifests grant.
func TestEveryVariantServes(t *testing.T) {
	shared := newSharedCluster(t)
	for _, name := range slices.Sorted(maps.Keys(variants(t))) {
		t.Run(name, func(t *testing.T) {
			i := shared.install(t, variants(t)[name])
			if why := notRun(name); why != "" {
				t.Logf("installed but not run: %s", why)
				return
			}
			i.run(t)
		})
	}
}

// notRun returns why the pods of a variant cannot run as processes of a test, or "" if they can.
func notRun(name string) string {
	switch name {
	case "manifests/prometheus-operator":
		return "its pods are those of manifests/base"
	case "manifests/mixin/prometheusrule.yaml":
		return "it has no pods"
	case "manifests/chart/tests/rendered/everything.yaml":
		return "it has further containers, and certificates that do not exist"
	case "manifests/chart/tests/rendered/tls.yaml":
		return "processes have no Secrets mounted, and their probes no TLS; test/node runs it"
	}
	return ""
}

// variants returns the objects of each variant of the manifests, by the variant's path.
func variants(t *testing.T) map[string][]*unstructured.Unstructured {
	t.Helper()
	root, err := library.Root()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]*unstructured.Unstructured{}
	for _, pattern := range []string{"manifests/*/kustomization.yaml", "manifests/overlays/*/kustomization.yaml", "manifests/test/testdata/*/kustomization.yaml"} {
		for _, file := range glob(t, root, pattern) {
			folder := filepath.Dir(file)
			if all[folder], err = manifest.Build(folder); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, pattern := range []string{"manifests/chart/tests/rendered/*.yaml", "manifests/mixin/prometheusrule.yaml"} {
		for _, file := range glob(t, root, pattern) {
			all[file] = readManifest(t, file)
		}
	}
	return all
}

// glob returns the files that match a pattern, relative to root. There must be at least one.
func glob(t *testing.T, root, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no file matches %s: %v", pattern, err)
	}
	for i := range files {
		if files[i], err = filepath.Rel(root, files[i]); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// readManifest returns the objects of a file, whose path is relative to the repository's root. Objects without a
// namespace get that of the fleet.
func readManifest(t *testing.T, file string) []*unstructured.Unstructured {
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

// warningList collects the warnings of the API server.
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

// take returns the warnings since the last call.
func (w *warningList) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	texts := w.texts
	w.texts = nil
	return texts
}
