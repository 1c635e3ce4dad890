package customresource

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
)

// entryOf returns the text of one entry with one metric.
func entryOf(version, kind, more, metric string) string {
	return fmt.Sprintf("spec:\n  resources:\n  - groupVersionKind: {group: a.example.com, version: %q, kind: %q}\n    metricNamePrefix: \"\"\n    %s\n"+
		"    metrics: [{name: %s, each: {type: Gauge, gauge: {path: [spec]}}}]\n---\n", version, kind, more, metric)
}

func TestKinds(t *testing.T) {
	definitions := []Definition{
		{Group: "a.example.com", Kind: "B", Plural: "bs", Versions: []string{"v1", "v2"}, Namespaced: true},
		{Group: "a.example.com", Kind: "A", Plural: "as", Versions: []string{"v1"}},
		{Group: "a.example.com", Kind: "Gone", Plural: "gones"},
		{Group: "b.example.com", Kind: "A", Plural: "as", Versions: []string{"v1"}},
	}
	f := func(config string, want ...string) {
		t.Helper()
		var got []string
		for _, k := range mustParse(t, config).Kinds(definitions, resources.Filter{}, silent()) {
			s := fmt.Sprintf("%s %v %s:", k.Name, k.Namespaced, k.Renderer.gvk.Kind)
			for _, fam := range k.Renderer.Families() {
				s += " " + fam.Name
			}
			if k.Resource.Group != "a.example.com" || k.Name != k.Resource.Resource+"."+k.Resource.Version+".a.example.com" {
				t.Errorf("got the name %s for the resource %v", k.Name, k.Resource)
			}
			got = append(got, s)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n%s", config, diff)
		}
	}
	const asA, bsB1, bsB2 = "as.v1.a.example.com false A:", "bs.v1.a.example.com true B:", "bs.v2.a.example.com true B:"
	f(entryOf("v1", "A", "", "x"), asA+" x")
	f(entryOf("v2", "A", "", "x"))
	f(entryOf("v1", "Gone", "resourcePlural: gones", "x"))
	// Wildcards.
	f(entryOf("*", "B", "", "x"), bsB1+" x", bsB2+" x")
	f(entryOf("v1", "*", "", "x"), asA+" x", bsB1+" x")
	f(entryOf("*", "*", "", "x"), asA+" x", bsB1+" x", bsB2+" x")
	// Entries of the same kind are joined, even if a wildcard selects it.
	f(entryOf("v1", "A", "", "x")+entryOf("v1", "A", "", "y"), asA+" x y")
	f(entryOf("*", "*", "", "x")+entryOf("v2", "B", "", "y"), asA+" x", bsB1+" x", bsB2+" x y")
	// Kinds without a definition. If there is a definition, its plural counts.
	f(entryOf("v1", "Other", "resourcePlural: others", "x"), "others.v1.a.example.com true Other: x")
	f(entryOf("*", "Other", "resourcePlural: others", "x"))
	f(entryOf("v1", "A", "resourcePlural: wrong", "x"), asA+" x")
	f(entryOf("v1", "Other", "resourcePlural: others", "x")+entryOf("v1", "Other", "", "y"), "others.v1.a.example.com true Other: x y")
}

// Excluded families are not rendered, and the fields that only they read are not decoded. A kind without families is
// omitted.
func TestFilteredFamiliesCostNothing(t *testing.T) {
	config := mustParse(t, wrap(`{name: x, each: {type: Gauge, gauge: {path: [spec, x]}}}, {name: y, each: {type: Gauge, gauge: {path: [status, y]}}}`))
	definitions := []Definition{{Group: "a.example.com", Kind: "A", Plural: "as", Versions: []string{"v1"}}}
	kinds := func(deny ...string) []Kind {
		f, err := resources.NewFilter(resources.Selection{Deny: deny})
		if err != nil {
			t.Fatal(err)
		}
		return config.Kinds(definitions, f, silent())
	}
	if k := kinds("_y$"); len(k) != 1 || len(k[0].Renderer.Families()) != 1 || k[0].Renderer.shape.named["status"] != nil {
		t.Errorf("got %v, want one kind with one family that does not decode status", k)
	}
	if k := kinds("kube_customresource"); len(k) != 0 {
		t.Errorf("got %v, want none", k)
	}
}

// TestReadDefinition reads one definition in both encodings, as k8s.io/apiextensions-apiserver writes it.
func TestReadDefinition(t *testing.T) {
	want := Definition{Group: "other.example.com", Kind: "Alpha", Plural: "alphas", Namespaced: true, Versions: []string{"v1beta1", "v2"}}
	json, err := yaml.YAMLToJSON([]byte(readFile(t, "testdata/definition.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	for enc, raw := range map[wire.Encoding][]byte{wire.JSON: json, wire.Protobuf: []byte(readFile(t, "testdata/definition.pb"))} {
		got, err := ReadDefinition(enc, raw)
		if err != nil || !got.equal(want) {
			t.Errorf("%s: got %+v, error %v, want %+v", enc, got, err, want)
		}
		if _, err := ReadDefinition(enc, raw[:len(raw)/2]); err == nil {
			t.Errorf("%s: a truncated definition was accepted, want an error", enc)
		}
		if _, err := ReadDefinition(enc, nil); err == nil {
			t.Errorf("%s: an empty definition was accepted, want an error", enc)
		}
	}
	if _, err := ReadDefinition(wire.JSON, []byte(`{"spec":{"group":"a.example.com"}}`)); err == nil {
		t.Error("a definition without names was accepted, want an error")
	}
}

func FuzzReadDefinition(f *testing.F) {
	f.Add([]byte(readFile(f, "testdata/definition.pb")), false)
	f.Add([]byte(`{"spec":{"group":"a","names":{"kind":"A","plural":"as"},"versions":[{"name":"v1","served":true}]}}`), true)
	f.Fuzz(func(t *testing.T, raw []byte, json bool) {
		enc := wire.Protobuf
		if json {
			enc = wire.JSON
		}
		d, err := ReadDefinition(enc, raw)
		if err == nil && (d.Group == "" || d.Kind == "" || d.Plural == "") {
			t.Errorf("got %+v, want a group, a kind and a plural", d)
		}
	})
}
