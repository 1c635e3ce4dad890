package app

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/statefleet/statefleet/internal/config"
	"github.com/statefleet/statefleet/internal/render"
	"github.com/statefleet/statefleet/internal/testing/conformance"
)

const (
	fixtureDir  = "../../resources/testdata/conformance"
	minFixtures = 56 // so that the test fails if it finds no fixtures
)

// fixtureOptions are the options of a fixture; see the README beside them.
type fixtureOptions struct {
	Resources            []string            `json:"resources"`
	LabelsAllowlist      map[string][]string `json:"labelsAllowlist"`
	AnnotationsAllowlist map[string][]string `json:"annotationsAllowlist"`
	OptIn                []string            `json:"optIn"`
	Namespaces           []string            `json:"namespaces"`
	NamespacesDenylist   []string            `json:"namespacesDenylist"`
	MetricAllowlist      []string            `json:"metricAllowlist"`
	MetricDenylist       []string            `json:"metricDenylist"`
	CustomResourceConfig string              `json:"customResourceConfig"`
	CustomResourceOnly   bool                `json:"customResourceOnly"`
	Families             []string            `json:"families"`
	KSMDialect           bool                `json:"ksmDialect"`
	Note                 string              `json:"note"`
}

// args returns the options as flags.
func (o fixtureOptions) args(dir string) []string {
	var args []string
	list := func(flag string, values []string) {
		if len(values) > 0 {
			args = append(args, "--"+flag+"="+strings.Join(values, ","))
		}
	}
	keys := func(byKind map[string][]string) (entries []string) {
		for _, kind := range slices.Sorted(maps.Keys(byKind)) {
			entries = append(entries, kind+"=["+strings.Join(byKind[kind], ",")+"]")
		}
		return entries
	}
	list("resources", o.Resources)
	list("metric-labels-allowlist", keys(o.LabelsAllowlist))
	list("metric-annotations-allowlist", keys(o.AnnotationsAllowlist))
	list("metric-opt-in-list", o.OptIn)
	list("namespaces", o.Namespaces)
	list("namespaces-denylist", o.NamespacesDenylist)
	list("metric-allowlist", o.MetricAllowlist)
	list("metric-denylist", o.MetricDenylist)
	if o.CustomResourceConfig != "" {
		args = append(args, "--custom-resource-state-config-file="+filepath.Join(dir, o.CustomResourceConfig), "--custom-resource.copied-labels-win")
	}
	if o.CustomResourceOnly {
		args = append(args, "--custom-resource-state-only")
	}
	return args
}

// TestConformance runs the program on the objects of each fixture and compares its exposition with the lines that the
// fixture expects.
func TestConformance(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(fixtureDir, "*.prom"))
	if err != nil {
		t.Fatal(err)
	}
	custom, err := filepath.Glob(filepath.Join(fixtureDir, "customresource", "*.prom"))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, name := range append(names, custom...) {
		base := strings.TrimSuffix(name, ".prom")
		options := readOptions(t, base)
		if options.KSMDialect {
			// cronjobs-dialect holds schedules that kube-state-metrics reads differently from the CronJob controller. We
			// follow the controller.
			continue
		}
		ran++
		t.Run(filepath.Base(base), func(t *testing.T) { checkConformance(t, base, options) })
	}
	if ran < minFixtures {
		t.Errorf("got %d fixtures, want at least %d", ran, minFixtures)
	}
}

func readOptions(t *testing.T, base string) (o fixtureOptions) {
	t.Helper()
	text, err := os.ReadFile(base + ".opts.yaml")
	if err == nil {
		err = yaml.UnmarshalStrict(text, &o)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("%s: options: %v", base, err)
	}
	return o
}

func checkConformance(t *testing.T, base string, o fixtureOptions) {
	api, flag := newExactAPI(t)
	kinds := addFixture(t, base+".yaml", api)
	if len(o.Resources) == 0 && !o.CustomResourceOnly {
		o.Resources = kinds
	}
	p := start(t, append(o.args(filepath.Dir(base)), flag)...)
	p.Samples(t)
	_, text := p.Get(t, p.Metrics, "/metrics")
	expected, err := os.ReadFile(base + ".prom")
	if err != nil {
		t.Fatal(err)
	}
	got, want := conformance.NewExposition(), conformance.NewExposition()
	if err := errors.Join(got.Read(text), want.Read(string(expected))); err != nil {
		t.Fatal(err)
	}
	compared := func(family string) bool { return len(o.Families) == 0 || slices.Contains(o.Families, family) }
	for _, difference := range got.Diff(want, compared) {
		t.Error(difference)
	}
	if rendered := renderFixture(t, base+".yaml", o.args(filepath.Dir(base))); samples(rendered) != samples(text) {
		t.Errorf("the exporter exposes\n%s\nthe render command prints\n%s", samples(text), samples(rendered))
	}
}

// renderFixture returns the output of the render command for a fixture.
func renderFixture(t *testing.T, name string, args []string) string {
	t.Helper()
	var log, out bytes.Buffer
	c, _, err := config.LoadRender(args, io.Discard, &log)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := render.Read(render.Source{Name: name, Reader: bytes.NewReader(text)})
	if err != nil {
		t.Fatal(err)
	}
	err = render.Write(&out, objects, render.Options{
		Kinds: c.Kinds, Filter: c.Filter, Custom: c.Custom, Namespaces: c.Namespaces, NamespacesDenied: c.NamespacesDenied,
		ObjectBytes: c.ObjectBytes, Shard: c.Ranges, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, &log)
	}
	return out.String()
}

// addFixture adds the objects of a fixture and returns the built-in kinds among them. A custom resource must follow its
// definition.
func addFixture(t *testing.T, name string, api *exactAPI) (kinds []string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	plurals := map[schema.GroupKind]string{{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: "customresourcedefinitions"}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return kinds
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		typed, gvk, err := scheme.Codecs.UniversalDeserializer().Decode(document, nil, nil)
		if runtime.IsNotRegisteredError(err) {
			addCustom(t, api, document, plurals)
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		resource, _ := meta.UnsafeGuessKindToResource(*gvk)
		api.add(t, resource, typed)
		if !slices.Contains(kinds, resource.Resource) {
			kinds = append(kinds, resource.Resource)
		}
	}
}

// addCustom adds a custom resource or a definition. It adds the plural of a definition to plurals.
func addCustom(t *testing.T, api *exactAPI, document []byte, plurals map[schema.GroupKind]string) {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(document, &u.Object); err != nil {
		t.Fatal(err)
	}
	gvk := u.GroupVersionKind()
	plural, ok := plurals[gvk.GroupKind()]
	if !ok {
		t.Fatalf("%s has no definition", gvk)
	}
	api.add(t, gvk.GroupVersion().WithResource(plural), u)
	if plural == "customresourcedefinitions" {
		field := func(names ...string) string {
			s, _, err := unstructured.NestedString(u.Object, names...)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		plurals[schema.GroupKind{Group: field("spec", "group"), Kind: field("spec", "names", "kind")}] = field("spec", "names", "plural")
	}
}
