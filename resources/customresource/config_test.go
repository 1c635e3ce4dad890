package customresource

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"k8s.io/apimachinery/pkg/fields"
	k8slabels "k8s.io/apimachinery/pkg/labels"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
)

var update = flag.Bool("update", false, "write the golden files")

// TestBadConfigurations compares the error of each configuration in bad.txtar with the text that follows it there.
func TestBadConfigurations(t *testing.T) {
	const name = "testdata/bad.txtar"
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(archive.Files); i += 2 {
		config, want := archive.Files[i], &archive.Files[i+1]
		t.Run(strings.TrimSuffix(config.Name, ".yaml"), func(t *testing.T) {
			c, err := ParseStrict(strings.NewReader(string(config.Data)))
			if err == nil || c != nil {
				t.Fatalf("got %v, error %v, want only an error", c, err)
			}
			got := err.Error() + "\n"
			if *update {
				want.Data = []byte(got)
			} else if diff := cmp.Diff(string(want.Data), got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Each line of each golden error begins with a place and a line, except the errors of the YAML reader.
func TestEveryFaultNamesItsPlace(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/bad.txtar")
	if err != nil {
		t.Fatal(err)
	}
	faults := 0
	for _, f := range archive.Files {
		if !strings.HasSuffix(f.Name, ".err") {
			continue
		}
		for line := range strings.Lines(string(f.Data)) {
			faults++
			place, _, _ := strings.Cut(line, ": ")
			if !strings.Contains(place, "(line ") && place != "yaml" && place != "spec.resources" {
				t.Errorf("%s: line without a place: %s", f.Name, line)
			}
		}
	}
	if faults < 40 {
		t.Errorf("got %d faults, want at least 40", faults)
	}
}

// wrap returns a configuration of one resource with the given metrics, in flow style.
func wrap(metrics string) string {
	return "spec:\n  resources:\n  - groupVersionKind: {group: a.example.com, version: v1, kind: A}\n    metrics: [" + metrics + "]\n"
}

func TestAcceptedConfigurations(t *testing.T) {
	f := func(config string, families ...string) {
		t.Helper()
		c, err := Parse(strings.NewReader(config))
		if err != nil {
			t.Errorf("%s\n%v", config, err)
			return
		}
		var got []string
		for _, e := range c.entries {
			for _, m := range e.metrics {
				got = append(got, m.family.Name+" "+m.family.Type.String())
			}
		}
		if diff := cmp.Diff(families, got); diff != "" {
			t.Errorf("%s\n%s", config, diff)
		}
	}
	// Tools that write configurations leave nulls and empty texts.
	f(wrap(`{name: x, help: null, commonLabels: null, labelsFromPath: null, errorLogV: 0,
		each: {type: Gauge, stateSet: null, info: null, gauge: {path: [spec], labelFromKey: "", valueFrom: null, nilIsZero: false}}}`),
		"kube_customresource_x gauge")
	f("kind: CustomResourceStateMetrics\nspec: {resources: []}")
	// The same name may be used twice, for different labels.
	f(wrap(`{name: x, each: {type: Gauge, gauge: {path: [a]}}}, {name: x, each: {type: gauge, gauge: {valueFrom: [b]}}}`),
		"kube_customresource_x gauge", "kube_customresource_x gauge")
	// Several documents, some of them empty, and anchors.
	f("---\n"+wrap(`&m {name: x, each: {type: Gauge, gauge: {path: &p [a, "0"], valueFrom: *p}}}`)+"---\n---\n"+wrap(`{<<: {name: z, each: {type: Gauge, gauge: {path: [0]}}}, name: y}`),
		"kube_customresource_x gauge", "kube_customresource_y gauge")
	// The types of OpenMetrics, and metrics that become gauges because their names or labels do not fit these types.
	f(wrap(`{name: x_info, each: {type: Info, info: {labelsFromPath: {a: [b]}}}}`), "kube_customresource_x_info info")
	f(wrap(`{name: x, each: {type: Info, info: {labelFromKey: a, path: [b]}}}`), "kube_customresource_x gauge")
	f(wrap(`{name: x_info, each: {type: Info, info: {labelsFromPath: {a: [b]}}}}, {name: x, each: {type: Gauge, gauge: {path: [a]}}}`),
		"kube_customresource_x_info gauge", "kube_customresource_x gauge")
	f(wrap(`{name: x, each: {type: StateSet, stateSet: {path: [a], labelName: x, list: [b]}}}`), "kube_customresource_x gauge")
	f(wrap(`{name: x, each: {type: StateSet, stateSet: {path: [a], labelName: kube_customresource_x, list: [b, 1, true, ""]}}}`),
		"kube_customresource_x stateset")
}

// An exposition has one HELP for a family.
func TestFamilyHasTheHelpOfItsFirstMetric(t *testing.T) {
	c := mustParse(t, wrap(`{name: x, help: first, each: {type: Gauge, gauge: {path: [a]}}}`)+"---\n"+
		wrap(`{name: x, help: second, each: {type: Gauge, gauge: {path: [a]}}}`))
	r := newRenderer(c.entries[0].gvk, c.entries, resources.Filter{}, silent())
	if len(r.families) != 1 || r.families[0].Help != "first" {
		t.Errorf("got the families %v, want one with the help %q", r.families, "first")
	}
}

// The aliases of a small file must not expand until they exhaust the memory.
func TestExpandedAliasesAreLimited(t *testing.T) {
	metric := `{name: x, each: {type: Gauge, gauge: {path: [a]}}}`
	var b strings.Builder
	b.WriteString("spec:\n  resources:\n  - &r\n    groupVersionKind: {group: a.example.com, version: v1, kind: A}\n    metrics:\n    - &m " + metric + "\n")
	for range 2000 {
		b.WriteString("    - *m\n")
	}
	for range 2000 {
		b.WriteString("  - *r\n")
	}
	_, err := Parse(strings.NewReader(b.String()))
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint(maxFields)) {
		t.Errorf("got the error %v, want one that names the limit %d", err, maxFields)
	}
	// Anchors that contain themselves.
	for _, config := range []string{
		"spec: &s\n  <<: *s\n  resources: []",
		"spec: {resources: &r [*r]}",
		"&a\nspec: *a",
		"spec:\n  resources: &r\n  - <<: *r",
	} {
		if _, err := ParseStrict(strings.NewReader(config)); err == nil {
			t.Errorf("%s: accepted, want an error", config)
		}
	}
}

func FuzzParse(f *testing.F) {
	archive, err := txtar.ParseFile("testdata/bad.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range archive.Files {
		f.Add(string(file.Data))
	}
	f.Add(readFile(f, fixtureDir+"/widgets.crs.yaml"))
	f.Add(readFile(f, fixtureDir+"/mixed.crs.yaml"))
	limited := strings.Replace(size, "each:", "seriesLimit: 3, each:", 1)
	for _, gvk := range []string{podGVK, secretGVK, configMapGVK, "{group: apps, version: v1, kind: Deployment}"} {
		f.Add(entryFor(gvk, "labelSelector: a in (b,c),!d\nfieldSelector: spec.nodeName!=n1\nresourcePlural: as", limited))
		f.Add(entryFor(gvk, "", size) + entryFor(gvk, "labelSelector: a", strings.Replace(limited, "size", "metadata", 3)))
	}
	f.Fuzz(func(t *testing.T, config string) {
		c, err := Parse(strings.NewReader(config))
		if (c == nil) == (err == nil) {
			t.Fatalf("got config %v and error %v, want exactly one of them", c, err)
		}
		if err != nil {
			return
		}
		checkExtensions(t, c)
		strict, err := ParseStrict(strings.NewReader(config))
		if err == nil && extends(strict) {
			t.Error("ParseStrict accepts a configuration with extensions")
		}
	})
}

// checkExtensions checks that an accepted configuration can be used: selectors parse, names are unique, only the
// allowed fields of Secrets and ConfigMaps are read, and each family belongs to a single selection.
func checkExtensions(t *testing.T, c *Config) {
	names := map[string]bool{}
	selectionOf := map[string]selection{}
	for _, k := range c.Kinds([]Definition{
		{Group: "a.example.com", Kind: "A", Plural: "as", Versions: []string{"v1"}},
		{Kind: "Pod", Plural: "pods", Versions: []string{"v1"}},
		{Kind: "Secret", Plural: "secrets", Versions: []string{"v1"}},
		{Kind: "ConfigMap", Plural: "configmaps", Versions: []string{"v1"}},
	}, resources.Filter{}, silent()) {
		if len(k.Renderer.Families()) == 0 || len(k.Renderer.SeriesLimits()) != len(k.Renderer.Families()) || names[k.Name] {
			t.Errorf("%s: %d families, %d limits, duplicate name: %t", k.Name, len(k.Renderer.Families()), len(k.Renderer.SeriesLimits()), names[k.Name])
		}
		names[k.Name] = true
		if _, err := k8slabels.Parse(k.LabelSelector); err != nil {
			t.Error(err)
		}
		if _, err := fields.ParseSelector(k.FieldSelector); err != nil {
			t.Error(err)
		}
		for i, family := range k.Renderer.Families() {
			if k.Renderer.SeriesLimits()[i] < 0 {
				t.Errorf("%s: got the limit %d, want at least 0", family.Name, k.Renderer.SeriesLimits()[i])
			}
			key, s := k.Resource.String()+" "+family.Name, selection{k.LabelSelector, k.FieldSelector}
			if before, known := selectionOf[key]; known && before != s {
				t.Errorf("%s: two watches can give the same series", family.Name)
			}
			selectionOf[key] = s
		}
		if r := k.Resource.Resource; k.Resource.Group == "" && (r == "secrets" || r == "configmaps") {
			var l resources.Lines
			object := `{"metadata":{"name":"a"},"type":"b","data":{"a":47110815,"type":"47110815"},"stringData":{"size":47110815},"immutable":47110815}`
			if err := k.Renderer.Render(wire.JSON, []byte(object), &l); err != nil || !k.Form.Metadata {
				t.Error(err, k.Form)
			}
			if bytes.Contains(l.Buf, []byte(" 47110815")) || bytes.Contains(l.Buf, []byte(`="47110815"`)) {
				t.Errorf("a protected value is exported: %s", l.Buf)
			}
		}
	}
}

// extends reports whether a configuration uses an extension.
func extends(c *Config) bool {
	return slices.ContainsFunc(c.entries, func(e *entry) bool {
		return isBuiltin(e.gvk.Group) || e.selection != selection{} ||
			slices.ContainsFunc(e.metrics, func(m *metric) bool { return m.limit != 0 })
	})
}

func TestNullIsNotAFieldName(t *testing.T) {
	for _, key := range []string{"~", "null"} {
		_, err := Parse(strings.NewReader("kind: CustomResourceStateMetrics\nspec:\n  resources: []\n  " + key + ": 3\n"))
		if err == nil || !strings.Contains(err.Error(), "line 4") || !strings.Contains(err.Error(), "a name is expected") {
			t.Errorf("key %s: got the error %v, want one of line 4 that says that a name is expected", key, err)
		}
	}
}
