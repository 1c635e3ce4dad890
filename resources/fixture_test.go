package resources

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

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/statefleet/statefleet/internal/testing/conformance"
	"github.com/statefleet/statefleet/internal/wire"
)

const fixtureDir = "testdata/conformance"

// fixture is a set of objects and their expected lines.
type fixture struct {
	name    string
	options fixtureOptions
	objects []fixtureObject
	want    conformance.Exposition
}

// fixtureOptions are the options from the README of the folder that concern built-in kinds.
type fixtureOptions struct {
	Resources            []string            `json:"resources"`
	LabelsAllowlist      map[string][]string `json:"labelsAllowlist"`
	AnnotationsAllowlist map[string][]string `json:"annotationsAllowlist"`
	OptIn                []string            `json:"optIn"`
	Namespaces           []string            `json:"namespaces"`
	NamespacesDenylist   []string            `json:"namespacesDenylist"`
	MetricAllowlist      []string            `json:"metricAllowlist"`
	MetricDenylist       []string            `json:"metricDenylist"`
	Families             []string            `json:"families"`
	KSMDialect           bool                `json:"ksmDialect"`
	Note                 string              `json:"note"`
}

// fixtureObject is one object in both encodings.
type fixtureObject struct {
	resource  string
	namespace string
	raw       [2][]byte // by wire.Encoding
}

// readFixtures reads all fixtures.
func readFixtures(t testing.TB) []fixture {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(fixtureDir, "*.prom"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no fixtures in %s: %v", fixtureDir, err)
	}
	fixtures := make([]fixture, 0, len(names))
	for _, name := range names {
		fixtures = append(fixtures, readFixture(t, strings.TrimSuffix(name, ".prom")))
	}
	return fixtures
}

func readFixture(t testing.TB, base string) fixture {
	t.Helper()
	f := fixture{name: filepath.Base(base), want: conformance.NewExposition()}
	if err := f.want.Read(string(readFile(t, base+".prom"))); err != nil {
		t.Fatalf("%s: %v", f.name, err)
	}
	options, err := os.ReadFile(base + ".opts.yaml")
	if err == nil {
		err = yaml.UnmarshalStrict(options, &f.options)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("%s: options: %v", f.name, err)
	}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(readFile(t, base+".yaml"))))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		f.objects = append(f.objects, readObject(t, f.name, document))
	}
	if len(f.options.Resources) == 0 {
		for _, o := range f.objects {
			f.options.Resources = append(f.options.Resources, o.resource)
		}
	}
	return f
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func readObject(t testing.TB, fixtureName string, document []byte) fixtureObject {
	t.Helper()
	typed, gvk, err := scheme.Codecs.UniversalDeserializer().Decode(document, nil, nil)
	if err != nil {
		t.Fatalf("%s: %v", fixtureName, err)
	}
	plural, _ := meta.UnsafeGuessKindToResource(*gvk)
	o := fixtureObject{resource: plural.Resource, namespace: typed.(metav1.Object).GetNamespace()}
	if o.raw[wire.Protobuf], err = typed.(interface{ Marshal() ([]byte, error) }).Marshal(); err != nil {
		t.Fatalf("%s: %v", fixtureName, err)
	}
	if o.raw[wire.JSON], err = json.Marshal(typed); err != nil {
		t.Fatalf("%s: %v", fixtureName, err)
	}
	return o
}

// filter returns the filter of the options. It uses the syntax of the flags.
func (o fixtureOptions) filter(t testing.TB) Filter {
	t.Helper()
	allowlist := func(byResource map[string][]string) Allowlist {
		var entries []string
		for resource, keys := range byResource {
			entries = append(entries, resource+"=["+strings.Join(keys, ",")+"]")
		}
		a, err := ParseAllowlist(entries)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	f, err := NewFilter(Selection{
		Allow: o.MetricAllowlist, Deny: o.MetricDenylist, OptIn: o.OptIn,
		Labels: allowlist(o.LabelsAllowlist), Annotations: allowlist(o.AnnotationsAllowlist),
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// selects applies the options that leave out whole objects. In production, the watch does this, not the renderer.
func (o fixtureOptions) selects(k Kind, namespace string) bool {
	if !slices.Contains(o.Resources, k.Name()) {
		return false
	}
	if !k.Namespaced {
		return true
	}
	return (len(o.Namespaces) == 0 || slices.Contains(o.Namespaces, namespace)) &&
		!slices.Contains(o.NamespacesDenylist, namespace)
}
