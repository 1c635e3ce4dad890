package customresource

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
)

// entryFor returns the text of one entry. more are its fields, one on each line, and metrics are in flow style.
func entryFor(gvk, more, metrics string) string {
	if more != "" {
		more = "    " + strings.ReplaceAll(more, "\n", "\n    ") + "\n"
	}
	return "spec:\n  resources:\n  - groupVersionKind: " + gvk + "\n    metricNamePrefix: \"\"\n" + more + "    metrics: [" + metrics + "]\n---\n"
}

const (
	podGVK       = `{group: "", version: v1, kind: Pod}`
	secretGVK    = `{group: "", version: v1, kind: Secret}`
	configMapGVK = `{group: "", version: v1, kind: ConfigMap}`
	size         = `{name: size, labelsFromPath: {uid: [metadata, uid]}, each: {type: Gauge, gauge: {path: [spec, size]}}}`
)

// The error of a wrong extension names its place, its line and the expected value.
func TestBadExtensions(t *testing.T) {
	metric := func(more string) string { return strings.Replace(size, "each:", more+", each:", 1) }
	gauge := func(g string) string { return "{name: x, each: {type: Gauge, gauge: {" + g + "}}}" }
	const foreign = "a path must begin with metadata or type, got "
	for _, c := range []struct{ config, place, fault string }{
		{entryFor(podGVK, "labelSelector: a in (b", size), "spec.resources[0].labelSelector (line 5)", "must be a label selector"},
		{entryFor(podGVK, "labelSelector: {a: b}", size), "spec.resources[0].labelSelector (line 5)", "a text is expected"},
		{entryFor(podGVK, "labelSelector: [a]", size), "spec.resources[0].labelSelector (line 5)", "a text is expected"},
		{entryFor(podGVK, "labelSelector: a=b\nfieldSelector: spec.nodeName", size), "spec.resources[0].fieldSelector (line 6)", "must be a field selector"},
		{entryFor(podGVK, "fieldSelector: a in (b)", size), "spec.resources[0].fieldSelector (line 5)", "must be a field selector"},
		{entryFor(podGVK, "fieldSelector: =n1", size), "spec.resources[0].fieldSelector (line 5)", "a field before the operator is missing"},
		{entryFor(podGVK, "fieldSelector: [a]", size), "spec.resources[0].fieldSelector (line 5)", "a text is expected"},
		{entryFor(podGVK, "", metric("seriesLimit: 0")), "spec.resources[0].metrics[0].seriesLimit (line 5)", `from 1 is expected, not "0"`},
		{entryFor(podGVK, "", metric("seriesLimit: -0")), "spec.resources[0].metrics[0].seriesLimit (line 5)", `from 1 is expected, not "-0"`},
		{entryFor(podGVK, "", metric("seriesLimit: -7")), "spec.resources[0].metrics[0].seriesLimit (line 5)", `from 1 is expected, not "-7"`},
		{entryFor(podGVK, "", metric("seriesLimit: 1e3")), "spec.resources[0].metrics[0].seriesLimit (line 5)", `from 1 is expected, not "1e3"`},
		{entryFor(podGVK, "", metric("seriesLimit: 99999999999999999999")), "spec.resources[0].metrics[0].seriesLimit (line 5)", "from 1 is expected"},
		{entryFor(podGVK, "", metric(`seriesLimit: "5"`)), "spec.resources[0].metrics[0].seriesLimit (line 5)", `from 1 is expected, not "5"`},
		{entryFor(podGVK, "", metric("seriesLimit: 5k")), "spec.resources[0].metrics[0].seriesLimit (line 5)", `from 1 is expected, not "5k"`},
		{entryFor(podGVK, "", metric("seriesLimit: {max: 5}")), "spec.resources[0].metrics[0].seriesLimit (line 5)", "from 1 is expected"},
		{entryFor(podGVK, "", metric("seriesLimit: 5")+", "+metric("seriesLimit: 6")), "spec.resources[0].metrics[1].seriesLimit (line 5)",
			"size has the limit 6 here, but 5 in another metric"},
		// Two watches may contain the same object.
		{entryFor(podGVK, "", size) + entryFor(podGVK, "labelSelector: a=b", size), "spec.resources[0].metrics[0].name (line 12)",
			"size is a family of spec.resources[0] (line 3), too, whose selectors differ"},
		{entryFor("{group: a.example.com, version: '*', kind: A}", "", size) + entryFor("{group: a.example.com, version: v1, kind: '*'}", "fieldSelector: a=b", size),
			"spec.resources[0].metrics[0].name (line 12)", "one object may give a series twice"},
		// Values of Secrets and ConfigMaps, by each way to reach them.
		{entryFor(secretGVK, "", gauge("path: [data, a]")), "spec.resources[0].metrics[0].name (line 5)", "the values of Secrets are never exported: " + foreign + `"data.a"`},
		{entryFor(secretGVK, "", gauge("path: [stringData, a]")), "spec.resources[0].metrics[0].name (line 5)", foreign + `"stringData.a"`},
		{entryFor(secretGVK, "", gauge("valueFrom: [data]")), "spec.resources[0].metrics[0].name (line 5)", foreign + `"data"`},
		{entryFor(secretGVK, "", gauge("labelFromKey: k")), "spec.resources[0].metrics[0].name (line 5)", foreign + `""`},
		{entryFor(secretGVK, "", gauge("path: ['[a=b]', data]")), "spec.resources[0].metrics[0].name (line 5)", foreign},
		{entryFor(secretGVK, "", gauge("path: ['type=Opaque', data]")), "spec.resources[0].metrics[0].name (line 5)", foreign},
		{entryFor(secretGVK, "labelsFromPath: {a: [data, a]}", gauge("path: [metadata, generation]")), "spec.resources[0].metrics[0].name (line 6)", foreign},
		{entryFor(secretGVK, `labelsFromPath: {"*": [data]}`, gauge("path: [metadata, generation]")), "spec.resources[0].metrics[0].name (line 6)", foreign},
		{entryFor(secretGVK, `labelsFromPath: {"*": []}`, gauge("path: [metadata, generation]")), "spec.resources[0].metrics[0].name (line 6)", foreign},
		{entryFor(secretGVK, "", "{name: x, each: {type: Info, info: {labelsFromPath: {a: [data, a]}}}}"), "spec.resources[0].metrics[0].name (line 5)", foreign},
		{entryFor(secretGVK, "", "{name: x, each: {type: Info, info: {labelFromKey: k}}}"), "spec.resources[0].metrics[0].name (line 5)", foreign},
		{entryFor(secretGVK, "", "{name: x, each: {type: Info, info: {path: [data], labelFromKey: k}}}"), "spec.resources[0].metrics[0].name (line 5)", foreign},
		{entryFor(secretGVK, "", "{name: x, each: {type: StateSet, stateSet: {path: [data, a], labelName: a, list: [b]}}}"), "spec.resources[0].metrics[0].name (line 5)", foreign},
		{entryFor(`{group: "", version: v1, kind: Pod}`, "resourcePlural: secrets", gauge("path: [data]")), "spec.resources[0].metrics[0].name (line 6)", foreign},
		{entryFor(configMapGVK, "", gauge("path: [data, a]")), "spec.resources[0].metrics[0].name (line 5)",
			`the values of ConfigMaps are never exported: a path must begin with metadata, got "data.a"`},
		{entryFor(configMapGVK, "", gauge("path: [binaryData, a]")), "spec.resources[0].metrics[0].name (line 5)", `got "binaryData.a"`},
	} {
		got, err := Parse(strings.NewReader(c.config))
		if err == nil || !strings.HasPrefix(err.Error(), c.place+": ") || !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s\ngot %v, error %v\nwant the error %s: … %s", c.config, got, err, c.place, c.fault)
		}
	}
}

// The error names the place of the extension, even if it has no effect. A null value counts as missing.
func TestStrictReadingRefusesExtensions(t *testing.T) {
	const a = "{group: a.example.com, version: v1, kind: A}"
	for config, want := range map[string]string{
		entryFor(podGVK, "", size): `spec.resources[0].groupVersionKind.group (line 3): the group "", whose kinds`,
		entryFor("{group: apps, version: v1, kind: Deployment}", "", size): `spec.resources[0].groupVersionKind.group (line 3): the group "apps", whose kinds`,
		entryFor(a, "labelSelector: a=b", size):                            "spec.resources[0].labelSelector (line 5): labelSelector is an extension",
		entryFor(a, `fieldSelector: ""`, size):                             "spec.resources[0].fieldSelector (line 5): fieldSelector is an extension",
		entryFor(a, "", strings.Replace(size, "each:", "seriesLimit: 9, each:", 1)): "spec.resources[0].metrics[0].seriesLimit (line 5): " +
			"seriesLimit is an extension",
	} {
		if c, err := Parse(strings.NewReader(config)); err != nil || len(c.Warnings()) > 0 {
			t.Errorf("%s\ngot the configuration %v, error %v, want one without warnings", config, c, err)
		}
		if _, err := ParseStrict(strings.NewReader(config)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s\ngot the error %v, want %s", config, err, want)
		}
	}
	if _, err := ParseStrict(strings.NewReader(entryFor(a, "labelSelector: null\nfieldSelector: null", size))); err != nil {
		t.Error(err)
	}
}

// Strict reading refuses the groups of all kinds in client-go.
func TestEveryBuiltinGroupIsKnown(t *testing.T) {
	for _, gv := range scheme.Scheme.PrioritizedVersionsAllGroups() {
		if gv.Group != "imagepolicy.k8s.io" && !isBuiltin(gv.Group) { // of a webhook, not of the API server
			t.Errorf("isBuiltin(%q) = false, want true", gv.Group)
		}
	}
	if isBuiltin("gateway.networking.k8s.io") {
		t.Error("a group with definitions is built in, want not built in")
	}
}

// Entries with the same selectors share a watch. Entries with different ones have their own.
func TestSelectorsMakeKinds(t *testing.T) {
	definitions := []Definition{
		{Kind: "Pod", Plural: "pods", Versions: []string{"v1"}, Namespaced: true},
		{Group: "a.example.com", Kind: "A", Plural: "as", Versions: []string{"v1", "v2"}},
	}
	named := func(name string) string { return strings.Replace(size, "name: size", "name: "+name, 1) }
	f := func(config string, deny []string, want ...string) {
		t.Helper()
		filter, err := resources.NewFilter(resources.Selection{Deny: deny})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, k := range mustParse(t, config).Kinds(definitions, filter, silent()) {
			s := fmt.Sprintf("%s labels %q fields %q:", k.Name, k.LabelSelector, k.FieldSelector)
			for _, family := range k.Renderer.Families() {
				s += " " + family.Name
			}
			got = append(got, s)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n%s", config, diff)
		}
	}
	all := entryFor(podGVK, "", named("u")) + entryFor(podGVK, "labelSelector: 'b, a in (y,x)'", named("v")) +
		entryFor(podGVK, "fieldSelector: spec.nodeName=n1\nlabelSelector: a=b", named("w")) +
		entryFor(podGVK, "labelSelector: 'a in (x, y),b'", named("x"))
	f(all, nil, `pods.v1 labels "" fields "": u`, `pods.v1:2 labels "a in (x,y),b" fields "": v x`,
		`pods.v1:3 labels "a=b" fields "spec.nodeName=n1": w`)
	// A name does not depend on the filter.
	f(all, []string{"^v$"}, `pods.v1 labels "" fields "": u`, `pods.v1:2 labels "a in (x,y),b" fields "": x`,
		`pods.v1:3 labels "a=b" fields "spec.nodeName=n1": w`)
	f(all, []string{"^(u|v|x)$"}, `pods.v1:3 labels "a=b" fields "spec.nodeName=n1": w`)
	f(entryFor(podGVK, "labelSelector: a=b", named("v")), nil, `pods.v1 labels "a=b" fields "": v`)
	f(entryFor(podGVK, "labelSelector: a=b", named("v"))+entryFor(podGVK, `labelSelector: ""`, named("w")), nil,
		`pods.v1 labels "a=b" fields "": v`, `pods.v1:2 labels "" fields "": w`)
	f(entryFor("{group: a.example.com, version: '*', kind: A}", "", named("v"))+entryFor("{group: a.example.com, version: v2, kind: A}", "labelSelector: a", named("w")), nil,
		`as.v1.a.example.com labels "" fields "": v`, `as.v2.a.example.com labels "" fields "": v`, `as.v2.a.example.com:2 labels "a" fields "": w`)
}

// The core group has no definitions, so its wildcards cannot be resolved.
func TestCoreKindsNeedVersionAndKind(t *testing.T) {
	for _, gvk := range []string{`{group: "", version: "*", kind: Pod}`, `{group: "", version: v1, kind: "*"}`} {
		c := mustParse(t, entryFor(gvk, "", size))
		if len(c.entries) > 0 || len(c.Warnings()) != 1 || !strings.Contains(c.Warnings()[0], "(line 3): the core group has no CustomResourceDefinitions") {
			t.Errorf("%s: got %d entries and the warnings %q, want only a warning about the core group", gvk, len(c.entries), c.Warnings())
		}
	}
	for _, gvk := range []string{"{version: v1, kind: Pod}", "{group: null, version: v1, kind: Pod}"} {
		if c := mustParse(t, entryFor(gvk, "", size)); len(c.entries) > 0 {
			t.Errorf("%s: a missing group counts as the core group", gvk)
		}
	}
}

// A path that may be read can also lead to fields of the same name in data, for example if it is read for each member
// of the object. These must not be read.
func TestValuesOfSecretsAreNotAskedForAndNotDecoded(t *testing.T) {
	definitions := []Definition{
		{Kind: "Secret", Plural: "secrets", Versions: []string{"v1"}, Namespaced: true},
		{Kind: "ConfigMap", Plural: "configmaps", Versions: []string{"v1"}, Namespaced: true},
		{Kind: "Pod", Plural: "pods", Versions: []string{"v1"}, Namespaced: true},
		{Kind: "Alias", Plural: "secrets", Versions: []string{"v2"}, Namespaced: true},
	}
	const (
		typed   = "{name: x, each: {type: Info, info: {labelsFromPath: {t: [type]}}}}"
		untyped = "{name: y, each: {type: Gauge, gauge: {valueFrom: [metadata, generation], labelFromKey: k}}}"
		whole   = `{name: z, each: {type: Info, info: {labelsFromPath: {"*": []}}}}`
		object  = `{"metadata":{"name":"s","generation":3},"type":"Opaque","data":{"type":"c2VjcmV0","metadata":{"generation":5}},"stringData":{"type":"secret"}}`
	)
	onlyMetadata := wire.Form{Metadata: true, JSON: true}
	withType := wire.Form{Metadata: true, JSON: true, Column: "Type", Field: "type"}
	for _, c := range []struct {
		config string
		form   wire.Form
		lines  string
	}{
		{entryFor(secretGVK, "", typed), withType, `x{t="Opaque"} 1` + "\n"},
		{entryFor(secretGVK, "", untyped), withType, ""}, // each member of the object may have metadata.generation
		{entryFor(secretGVK, "", strings.Replace(untyped, "valueFrom", "path", 1)), onlyMetadata, "y{} 3\n"},
		{entryFor(configMapGVK, "", strings.Replace(untyped, "valueFrom", "path", 1)), onlyMetadata, "y{} 3\n"},
		{entryFor(`{group: "", version: v2, kind: Alias}`, "", whole), withType,
			`z{metadata="map[generation:3 name:s]",type="Opaque"} 1` + "\n" + `z{generation="3",name="s"} 1` + "\n"},
		{entryFor(podGVK, "", strings.Replace(untyped, "valueFrom", "path", 1)), wire.Form{}, "y{} 3\n"},
	} {
		kinds := mustParse(t, c.config).Kinds(definitions, resources.Filter{}, silent())
		if len(kinds) != 1 || kinds[0].Form != c.form {
			t.Fatalf("%s\ngot %+v, want the form %+v", c.config, kinds, c.form)
		}
		var l resources.Lines
		if err := kinds[0].Renderer.Render(wire.JSON, []byte(object), &l); err != nil {
			t.Fatal(err)
		}
		gvk := kinds[0].Renderer.gvk
		var labels []string
		for _, r := range reservedLabels(gvk) {
			labels = append(labels, fmt.Sprintf("%s=%q", r.name, r.value))
		}
		slices.Sort(labels)
		reserved := strings.Join(labels, ",")
		if got := strings.NewReplacer(reserved+",", "", reserved, "").Replace(string(l.Buf)); got != c.lines {
			t.Errorf("%s\ngot\n%s\nwant\n%s", c.config, got, c.lines)
		}
	}
}

// API servers leave out the apiVersion and the kind of a built-in object in a list, but not in a watch.
func TestObjectsOfListsHaveTheLinesOfThoseOfWatches(t *testing.T) {
	definitions := []Definition{{Group: "apps", Kind: "Deployment", Plural: "deployments", Versions: []string{"v1"}, Namespaced: true}}
	config := entryFor("{group: apps, version: v1, kind: Deployment}", "labelsFromPath: {a: [apiVersion], k: [kind]}",
		"{name: x, each: {type: Gauge, gauge: {path: [metadata, generation]}}}, "+
			"{name: y, each: {type: Info, info: {labelFromKey: member, labelsFromPath: {own: []}}}}, "+
			"{name: z, each: {type: Info, info: {path: [metadata], labelsFromPath: {name: [name]}}}}")
	r := mustParse(t, config).Kinds(definitions, resources.Filter{}, silent())[0].Renderer
	const fields = `"metadata":{"name":"d","generation":3}}`
	var watched, listed resources.Lines
	if err := r.Render(wire.JSON, []byte(`{"kind":"Deployment","apiVersion":"apps/v1",`+fields), &watched); err != nil {
		t.Fatal(err)
	}
	if err := r.Render(wire.JSON, []byte("{"+fields), &listed); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(watched.Buf), string(listed.Buf)); diff != "" || !strings.Contains(string(listed.Buf), `k="Deployment"`) {
		t.Errorf("the lines of an object in a list differ from those in a watch:\n%s\n%s", diff, listed.Buf)
	}
}

// The metrics of a family share the limit that any of them has.
func TestSeriesLimitsOfFamilies(t *testing.T) {
	limited := strings.Replace(size, "each:", "seriesLimit: 0x10, each:", 1)
	c := mustParse(t, entryFor(podGVK, "", "{name: a, each: {type: Gauge, gauge: {path: [b]}}}, "+size+", "+limited+", "+limited))
	kinds := c.Kinds([]Definition{{Kind: "Pod", Plural: "pods", Versions: []string{"v1"}}}, resources.Filter{}, silent())
	if got := kinds[0].Renderer.SeriesLimits(); !slices.Equal(got, []int{0, 16}) {
		t.Errorf("got the limits %v, want [0 16]", got)
	}
}
