package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	"github.com/statefleet/statefleet/test/controlplane"
	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/manifest"
	"github.com/statefleet/statefleet/test/process"
)

// TestEveryVariantIsAccepted applies every kustomization, every rendering of the chart and the rules by server-side apply, as
// a dry run, so that one does not meet what another left. The API server validates and admits them as ever; it must neither
// refuse nor warn.
func TestEveryVariantIsAccepted(t *testing.T) {
	cluster := controlplane.Start(t, controlplane.Options{})
	installOperatorKinds(t, cluster)
	for _, name := range []string{"statefleet", "monitoring", "observability", "team-a", "team-b", "a", "b"} {
		_, err := cluster.Client().CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, objects := range variants(t) {
		t.Run(name, func(t *testing.T) {
			warnings := &warningList{}
			config := rest.CopyConfig(cluster.Config())
			config.WarningHandlerWithContext = warnings
			for _, object := range objects {
				if err := dryRun(t.Context(), config, cluster, object); err != nil {
					t.Errorf("%s %s/%s: %v", object.GetKind(), object.GetNamespace(), object.GetName(), err)
				}
			}
			for _, text := range warnings.texts {
				t.Errorf("the API server warns: %s", text)
			}
		})
	}
}

// variants are the objects of each way to install, by its path.
func variants(t *testing.T) map[string][]*unstructured.Unstructured {
	t.Helper()
	root, err := process.Root()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]*unstructured.Unstructured{}
	for _, pattern := range []string{"manifests/*/kustomization.yaml", "manifests/overlays/*/kustomization.yaml"} {
		for _, file := range matches(t, root, pattern) {
			folder := filepath.Dir(file)
			if all[folder], err = manifest.Build(folder); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, pattern := range []string{"manifests/chart/tests/rendered/*.yaml", "manifests/mixin/prometheusrule.yaml"} {
		for _, file := range matches(t, root, pattern) {
			all[file] = documents(t, filepath.Join(root, file))
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

func documents(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var objects []*unstructured.Unstructured
	for decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096); ; {
		object := &unstructured.Unstructured{}
		switch err := decoder.Decode(&object.Object); {
		case errors.Is(err, io.EOF):
			return objects
		case err != nil:
			t.Fatalf("%s: %v", file, err)
		case len(object.Object) > 0:
			if object.GetNamespace() == "" {
				object.SetNamespace(namespace)
			}
			objects = append(objects, object)
		}
	}
}

func dryRun(ctx context.Context, config *rest.Config, cluster *controlplane.Cluster, object *unstructured.Unstructured) error {
	groups, err := restmapper.GetAPIGroupResources(cluster.Client().Discovery())
	if err != nil {
		return err
	}
	kind := object.GroupVersionKind()
	mapping, err := restmapper.NewDiscoveryRESTMapper(groups).RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	data, err := object.MarshalJSON()
	if err != nil {
		return err
	}
	var resource dynamic.ResourceInterface = client.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		resource = client.Resource(mapping.Resource).Namespace(object.GetNamespace())
	}
	_, err = resource.Patch(ctx, object.GetName(), "application/apply-patch+yaml", data, metav1.PatchOptions{
		FieldManager: "statefleet-test", FieldValidation: metav1.FieldValidationStrict, DryRun: []string{metav1.DryRunAll},
	})
	return err
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

// installOperatorKinds makes stand-ins for the kinds of the Prometheus Operator. They take any spec; the types of fields are
// checked where the chart is rendered.
func installOperatorKinds(t *testing.T, cluster *controlplane.Cluster) {
	t.Helper()
	applier, err := manifest.NewApplier(cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"PodMonitor", "ServiceMonitor", "PrometheusRule"} {
		singular := strings.ToLower(kind)
		definition := &unstructured.Unstructured{}
		text := strings.NewReplacer("podmonitor", singular, "PodMonitor", kind).Replace(podMonitorKind)
		if err := definition.UnmarshalJSON([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := applier.Apply(t.Context(), definition); err != nil {
			t.Fatal(err)
		}
		fleet.Eventually(t, "the API server serves "+kind, func(ctx context.Context) error {
			return cluster.Client().Discovery().RESTClient().Get().AbsPath("/apis/monitoring.coreos.com/v1/" + singular + "s").Do(ctx).Error()
		})
	}
}
