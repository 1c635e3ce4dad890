package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/statefleet/statefleet/benchmarks/exposition"
	library "github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/manifests/presets"
	"github.com/statefleet/statefleet/test/controlplane"
	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/manifest"
)

// TestPresets checks each preset with a real API server and the project's definitions. A replica with only the rights
// that check-config names must expose the objects of the preset's fixture as the fixture's lines. The command render
// must give the same lines.
func TestPresets(t *testing.T) {
	if _, err := fleet.Build(); err != nil {
		t.Fatal(err)
	}
	cluster := controlplane.Start(t, controlplane.Options{})
	for _, name := range presets.Names() {
		t.Run(name, func(t *testing.T) { (&presetTest{name: name, cluster: cluster}).run(t) })
	}
}

type presetTest struct {
	name    string
	cluster *controlplane.Cluster
	replica *fleet.Replica
	live    []*unstructured.Unstructured // the objects as the API server returned them, in the order of the fixture
}

func (p *presetTest) run(t *testing.T) {
	sources := presetDefinitions()[p.name]
	if len(sources) == 0 {
		t.Fatal("the preset has no definitions")
	}
	var kinds []*unstructured.Unstructured
	for _, d := range sources {
		kinds = append(kinds, d.read(t)...)
	}
	p.replica = fleet.Start(t, append(p.flags(), "--kubeconfig="+p.kubeconfig(t))...)
	p.replica.WaitReady(t)
	if metrics := p.replica.Scrape(t); len(metrics.Samples) > 0 {
		t.Errorf("got samples before the definitions exist, want none: %v", metrics.Samples)
	}
	fixture, err := manifest.Read("manifests/presets/testdata/" + p.name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	p.create(t, append(kinds, fixture...))
	want := p.expected(t, fixture)
	fleet.Eventually(t, "the samples are those of the fixture", func(ctx context.Context) error {
		metrics, err := p.replica.Metrics(ctx)
		if err != nil {
			return err
		}
		return sameLines(want, metrics)
	})
	if err := sameLines(p.replica.Scrape(t), p.render(t)); err != nil {
		t.Errorf("render differs from the exporter: %v", err)
	}
}

// sameLines returns an error unless two expositions have the same samples.
func sameLines(want, got exposition.Exposition) error {
	if diff := exposition.Diff(want, got); diff != "" {
		return errors.New(diff)
	}
	return nil
}

func (p *presetTest) flags() []string {
	return []string{"--custom-resource-state-only", "--custom-resource-state-preset=" + p.name}
}

// kubeconfig returns the path of a kubeconfig for an account with the rights that check-config names for the preset.
func (p *presetTest) kubeconfig(t *testing.T) string {
	t.Helper()
	var selection struct {
		Rules []rbacv1.PolicyRule `json:"rules"`
	}
	text := p.statefleet(t, nil, "check-config")
	if err := yaml.Unmarshal(text, &selection); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: p.name}, Rules: selection.Rules}
	if _, err := p.cluster.Client().RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return p.cluster.Kubeconfig(t, p.cluster.BoundToken(t, namespace, p.name, p.name))
}

// create creates the kinds and the objects, and the namespaces that they name.
func (p *presetTest) create(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	applier := newApplier(t, p.cluster.Config())
	for _, object := range objects {
		if ns := object.GetNamespace(); ns != "" {
			if _, err := applier.Apply(t.Context(), &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": ns},
			}}); err != nil {
				t.Fatal(err)
			}
		}
		if object.GetKind() == "CustomResourceDefinition" {
			if _, err := applier.Apply(t.Context(), object); err != nil {
				t.Fatal(err)
			}
			continue
		}
		fleet.Eventually(t, object.GetKind()+" "+object.GetName()+" is created", func(ctx context.Context) error {
			created, err := applier.Create(ctx, object.DeepCopy())
			if meta.IsNoMatchError(err) {
				applier = newApplier(t, p.cluster.Config()) // the new one discovers the kinds again
			}
			switch {
			case err == nil:
				p.live = append(p.live, created)
			case !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err): // otherwise the kind is not served yet
				t.Fatal(err)
			}
			return err
		})
	}
}

// expected returns the samples of the fixture, with the UIDs and creation times that the API server chose.
func (p *presetTest) expected(t *testing.T, fixture []*unstructured.Unstructured) exposition.Exposition {
	t.Helper()
	root, err := library.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "manifests/presets/testdata", p.name+".prom"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		for i, object := range fixture {
			line = strings.ReplaceAll(line, `uid="`+string(object.GetUID())+`"`, `uid="`+string(p.live[i].GetUID())+`"`)
		}
		lines = append(lines, line)
	}
	metrics, err := exposition.Parse(strings.NewReader(strings.Join(lines, "")))
	if err != nil {
		t.Fatal(err)
	}
	created := map[string]string{} // the series of families whose name ends in _created
	for series := range metrics.Samples {
		if family, _, _ := strings.Cut(series, "{"); strings.HasSuffix(family, "_created") {
			created[series] = ""
		}
	}
	for series, value := range p.render(t).Samples {
		if _, ok := created[series]; ok {
			metrics.Samples[series] = value
		}
	}
	return metrics
}

// render returns what the command render prints for the objects as the API server returned them.
func (p *presetTest) render(t *testing.T) exposition.Exposition {
	t.Helper()
	list := unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "v1", "kind": "List"}}
	for _, object := range p.live {
		list.Items = append(list.Items, *object)
	}
	text, err := json.Marshal(&list)
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := exposition.Parse(bytes.NewReader(p.statefleet(t, text, "render")))
	if err != nil {
		t.Fatal(err)
	}
	return metrics
}

// statefleet returns the output of a command of the exporter.
func (p *presetTest) statefleet(t *testing.T, in []byte, command string) []byte {
	t.Helper()
	binary, err := fleet.Build()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, append([]string{command}, p.flags()...)...)
	cmd.Stdin, cmd.Dir = bytes.NewReader(in), filepath.Dir(binary)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	return out
}
