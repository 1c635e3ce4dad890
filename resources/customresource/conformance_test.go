package customresource

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/statefleet/statefleet/internal/testing/conformance"
	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
)

const fixtureDir = "../testdata/conformance/customresource"

// fixture is a configuration, a set of objects with their definitions, and the lines that are expected for them.
type fixture struct {
	options     fixtureOptions
	config      string
	definitions []Definition
	objects     []fixtureObject
	want        conformance.Exposition
}

type fixtureOptions struct {
	Resources            []string `json:"resources"`
	Namespaces           []string `json:"namespaces"`
	MetricDenylist       []string `json:"metricDenylist"`
	CustomResourceConfig string   `json:"customResourceConfig"`
	CustomResourceOnly   bool     `json:"customResourceOnly"`
	Note                 string   `json:"note"`
}

type fixtureObject struct {
	metav1.PartialObjectMetadata
	raw []byte
}

// TestConformance compares the rendered lines of each fixture's objects with the lines in the fixture.
func TestConformance(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(fixtureDir, "*.prom"))
	if err != nil || len(names) < 2 {
		t.Fatalf("got %d fixtures, error %v, want at least 2", len(names), err)
	}
	for _, name := range names {
		base := strings.TrimSuffix(name, ".prom")
		t.Run(filepath.Base(base), func(t *testing.T) {
			readFixture(t, base).check(t)
		})
	}
}

func (f fixture) check(t *testing.T) {
	filter, err := resources.NewFilter(resources.Selection{Deny: f.options.MetricDenylist, CopiedLabelsWin: true})
	if err != nil {
		t.Fatal(err)
	}
	kinds := mustParse(t, f.config).Kinds(f.definitions, filter, silent())
	got := conformance.NewExposition()
	var lines resources.Lines
	for _, o := range f.objects {
		render, families, namespaced := f.rendererOf(t, kinds, filter, o)
		if render == nil || namespaced && !f.selects(o.Namespace) {
			continue
		}
		if err := render(wire.JSON, o.raw, &lines); err != nil {
			t.Fatalf("%s: %v", o.Name, err)
		}
		addLines(t, &got, families, lines)
	}
	for _, d := range got.Diff(f.want, func(string) bool { return true }) {
		t.Error(d)
	}
}

type renderFunc = func(wire.Encoding, []byte, *resources.Lines) error

// rendererOf returns the render function of an object's kind, which may be a built-in one, with its families and
// whether the kind is namespaced. The function is nil if the kind is not exported.
func (f fixture) rendererOf(t *testing.T, kinds []Kind, filter resources.Filter, o fixtureObject) (renderFunc, []resources.Family, bool) {
	for _, k := range kinds {
		if k.Renderer.gvk == o.GroupVersionKind() {
			return k.Renderer.Render, k.Renderer.Families(), k.Namespaced
		}
	}
	plural := strings.ToLower(o.Kind) + "s"
	for _, k := range resources.All() {
		if k.Name() == plural && slices.Contains(f.options.Resources, plural) && !f.options.CustomResourceOnly {
			r, err := k.Renderer(filter)
			if err != nil {
				t.Fatal(err)
			}
			return r.Render, r.Families(), k.Namespaced
		}
	}
	return nil, nil, false
}

func (f fixture) selects(namespace string) bool {
	return len(f.options.Namespaces) == 0 || slices.Contains(f.options.Namespaces, namespace)
}

func addLines(t testing.TB, p *conformance.Exposition, families []resources.Family, l resources.Lines) {
	t.Helper()
	if len(l.Ends) != len(families) {
		t.Fatalf("got %d ends, want one for each of %d families", len(l.Ends), len(families))
	}
	for i, f := range families {
		if err := p.AddFamily(f.Name, string(f.TextHeader()), string(l.Family(i))); err != nil {
			t.Error(err)
		}
	}
}

func readFixture(t *testing.T, base string) fixture {
	t.Helper()
	f := fixture{want: conformance.NewExposition()}
	if err := f.want.Read(readFile(t, base+".prom")); err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict([]byte(readFile(t, base+".opts.yaml")), &f.options); err != nil {
		t.Fatal(err)
	}
	f.config = readFile(t, filepath.Join(fixtureDir, f.options.CustomResourceConfig))
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader([]byte(readFile(t, base+".yaml")))))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return f
		}
		var o fixtureObject
		if err == nil {
			o.raw, err = yaml.YAMLToJSON(document)
		}
		if err == nil {
			err = json.Unmarshal(o.raw, &o.PartialObjectMetadata)
		}
		if err != nil {
			t.Fatal(err)
		}
		if o.Kind != "CustomResourceDefinition" {
			f.objects = append(f.objects, o)
			continue
		}
		d, err := ReadDefinition(wire.JSON, o.raw)
		if err != nil {
			t.Fatalf("%s: %v", o.Name, err)
		}
		f.definitions = append(f.definitions, d)
	}
}

func readFile(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func mustParse(t testing.TB, config string) *Config {
	t.Helper()
	c, err := Parse(strings.NewReader(config))
	if err != nil {
		t.Fatal(err)
	}
	return c
}
