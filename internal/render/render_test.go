package render

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/statefleet/statefleet/internal/testing/conformance"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/resources/customresource"
	"github.com/statefleet/statefleet/shard"
)

const manifests = `# comments before an object
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: a}}
---
apiVersion: v1
kind: PodList
items:
- metadata: {name: web, namespace: shop, uid: 00000000-0000-4000-8000-000000000001}
  spec: {nodeName: n1}
- metadata: {name: db, namespace: other, uid: 00000000-0000-4000-8000-000000000002}
---
apiVersion: example.org/v1
kind: Widget
metadata: {name: w, namespace: shop}
spec: {size: 3}
---
apiVersion: example.org/v1
kind: Widget
metadata: {name: w2, namespace: shop}
spec: {size: 4}
---
{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"}}]}
`

const config = `
kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: example.org, version: v1, kind: Widget}
    labelsFromPath: {namespace: [metadata, namespace]}
    metrics:
    - {name: size, each: {type: Gauge, gauge: {path: [spec, size]}}}
`

// renderLines returns the sample lines for the manifests, and the log.
func renderLines(t *testing.T, change func(*Options)) (lines []string, log string) {
	t.Helper()
	objects, err := Read(Source{"input", strings.NewReader(manifests)})
	if err != nil {
		t.Fatal(err)
	}
	filter, err := resources.NewFilter(resources.Selection{Allow: []string{"^kube_pod_info$", "^kube_namespace_created$", "^kube_namespace_status_phase$", "size"}})
	if err != nil {
		t.Fatal(err)
	}
	custom, err := customresource.Parse(strings.NewReader(config))
	if err != nil {
		t.Fatal(err)
	}
	var out, text bytes.Buffer
	o := Options{Kinds: resources.All(), Filter: filter, Custom: custom, Shard: shard.All(), Logger: slog.New(slog.NewTextHandler(&text, nil))}
	change(&o)
	if err := Write(&out, objects, o); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines, text.String()
}

// pods returns the names of the pods in lines.
func pods(lines []string) (names []string) {
	for _, line := range lines {
		for _, name := range []string{"web", "db"} {
			if strings.Contains(line, `pod="`+name+`"`) {
				names = append(names, name)
			}
		}
	}
	return names
}

func TestListsAndDocumentsAreRendered(t *testing.T) {
	lines, log := renderLines(t, func(*Options) {})
	if got := pods(lines); !slices.Equal(got, []string{"web", "db"}) {
		t.Errorf("got pods %q, want web and db, in %q", got, lines)
	}
	for _, want := range []string{
		"autoscaling/v1 HorizontalPodAutoscaler; want apiVersion autoscaling/v2", "two objects have the same series", "input:19",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	exposition := conformance.NewExposition()
	if err := exposition.Read(strings.Join(lines, "\n")); err != nil || len(exposition.Twice) > 0 || len(exposition.Values) != len(lines) {
		t.Errorf("the lines are no exposition: error %v, repeated series %q", err, exposition.Twice)
	}
}

func TestSelectionMatchesTheExporter(t *testing.T) {
	selector, err := labels.Parse("team=a")
	if err != nil {
		t.Fatal(err)
	}
	table, err := shard.NewTable(2)
	if err != nil {
		t.Fatal(err)
	}
	first, _ := renderLines(t, func(o *Options) { o.Shard = table.Ranges(0) })
	second, _ := renderLines(t, func(o *Options) { o.Shard = table.Ranges(1) })
	if got := append(pods(first), pods(second)...); len(got) != 2 || len(first) == 0 || len(second) == 0 {
		t.Errorf("the shards have %q and %q, want each pod in one of them", first, second)
	}
	for name, c := range map[string]struct {
		change func(*Options)
		want   []string
	}{
		"namespaces":  {func(o *Options) { o.Namespaces = []string{"other"} }, []string{"db"}},
		"denied":      {func(o *Options) { o.NamespacesDenied = []string{"other"} }, []string{"web"}},
		"selector":    {func(o *Options) { o.NamespaceSelector = selector }, []string{"web"}},
		"node":        {func(o *Options) { o.Node = "n1" }, []string{"web"}},
		"unscheduled": {func(o *Options) { o.TrackUnscheduled = true }, []string{"db"}},
		"labels":      {func(o *Options) { o.ObjectSelectors = map[string]labels.Selector{"pods": selector} }, nil},
		"no kinds":    {func(o *Options) { o.Kinds = nil }, nil},
	} {
		if lines, _ := renderLines(t, c.change); !slices.Equal(pods(lines), c.want) {
			t.Errorf("%s: got pods %q, want %q", name, pods(lines), c.want)
		}
	}
}

func TestExplainedLinesNameObjectAndEntry(t *testing.T) {
	lines, _ := renderLines(t, func(o *Options) { o.Explain = true })
	for _, want := range []string{
		`input:7: items[0] Pod shop/web | pods | kube_pod_info{namespace="shop",pod="web"`,
		`input:14 Widget shop/w | spec.resources[0].metrics[0].name (line 8), path spec.size | kube_customresource_size{`,
	} {
		if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("no line begins with %s:\n%s", want, strings.Join(lines, "\n"))
		}
	}
}

func TestErrorsNameFileAndLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "there is no object in the input",
		"# nothing\n---\n":                   "there is no object in the input",
		"a: b":                               "input:1: must be an object with apiVersion and kind",
		"\n\nkind: Pod\n":                    "input:3: must be an object with apiVersion and kind",
		"---\n# Source: a.yaml\nkind: Pod\n": "input:3: must be an object with apiVersion and kind",
		"- a\n":                              "input:1: must be an object with apiVersion and kind",
		"apiVersion: v1\nkind: A\n---\n\n{{": "input:5: ",
		"kind: [":                            "input:1: ",
		"\x00\xff":                           "input:1: ",
		"{apiVersion: v1, kind: List, items: [1]}":                                         "input:1: items[0]: must be an object",
		"{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, items: [{}]}]}": "input:1: items[0]: items[0]: must be an object",
	} {
		if _, err := Read(Source{"input", strings.NewReader(text)}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got the error %v, want %q", text, err, want)
		}
	}
}

// FuzzRender checks that no manifest crashes the rendering, and that the output is a valid exposition.
func FuzzRender(f *testing.F) {
	f.Add(manifests)
	f.Add("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nstatus: null\nspec: []\n")
	f.Add("{apiVersion: v1, kind: List, items: null}")
	f.Add("apiVersion: v1\nkind: Node\nstatus: {capacity: {cpu: 1e3, memory: -0}}\n")
	custom, err := customresource.Parse(strings.NewReader(config))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		objects, err := Read(Source{"input", strings.NewReader(text)})
		if err != nil {
			return
		}
		var out bytes.Buffer
		o := Options{Kinds: resources.All(), Custom: custom, Shard: shard.All(), Logger: slog.New(slog.DiscardHandler)}
		if err := Write(&out, objects, o); err != nil {
			return
		}
		exposition := conformance.NewExposition()
		if err := exposition.Read(out.String()); err != nil || len(exposition.Twice) > 0 {
			t.Errorf("the exposition is invalid: error %v, repeated series %q\n%s", err, exposition.Twice, out.String())
		}
	})
}

// TestCustomResourcesMayShareAUID: only Kubernetes itself guarantees that UIDs are unique.
func TestCustomResourcesMayShareAUID(t *testing.T) {
	const uid = "00000000-0000-4000-8000-000000000001"
	text := strings.NewReplacer("name: w, ", "name: w, uid: "+uid+", ", "name: w2, namespace: shop", "name: w2, uid: "+uid+", namespace: yard").Replace(manifests)
	objects, err := Read(Source{"input", strings.NewReader(text)})
	if err != nil {
		t.Fatal(err)
	}
	custom, err := customresource.Parse(strings.NewReader(config))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Write(&out, objects, Options{Custom: custom, Shard: shard.All(), Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\nkube_customresource_size{"); n != 2 {
		t.Errorf("got %d samples, want 2:\n%s", n, out.String())
	}
}

// extended is a configuration with extensions of kube-state-metrics' format.
const extended = `
kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: "", version: v1, kind: Pod}
    metricNamePrefix: own
    labelsFromPath: {name: [metadata, name]}
    metrics:
    - {name: pod_node, each: {type: Info, info: {labelsFromPath: {node: [spec, nodeName]}}}}
  - groupVersionKind: {group: "", version: v1, kind: Pod}
    metricNamePrefix: own
    fieldSelector: spec.nodeName=n1,spec.hostNetwork=false
    labelsFromPath: {name: [metadata, name]}
    metrics:
    - {name: pod_on_n1, each: {type: Info, info: {labelsFromPath: {node: [spec, nodeName]}}}}
  - groupVersionKind: {group: "", version: v1, kind: Namespace}
    metricNamePrefix: own
    labelSelector: team=a
    labelsFromPath: {name: [metadata, name]}
    metrics:
    - {name: namespace_team, each: {type: Info, info: {labelsFromPath: {team: [metadata, labels, team]}}}}
  - groupVersionKind: {group: "", version: v1, kind: Namespace}
    metricNamePrefix: own
    labelSelector: team=b
    labelsFromPath: {name: [metadata, name]}
    metrics:
    - {name: namespace_of_b, each: {type: Info, info: {labelsFromPath: {team: [metadata, labels, team]}}}}
  - groupVersionKind: {group: example.org, version: v1, kind: Widget}
    metricNamePrefix: own
    labelsFromPath: {name: [metadata, name]}
    metrics:
    - {name: widget, seriesLimit: 1, each: {type: Gauge, gauge: {path: [spec, size]}}}
`

// TestExtensionsAreRendered covers entries of built-in kinds beside the kinds themselves, selectors and limits.
func TestExtensionsAreRendered(t *testing.T) {
	custom, err := customresource.Parse(strings.NewReader(extended))
	if err != nil {
		t.Fatal(err)
	}
	filter, err := resources.NewFilter(resources.Selection{Allow: []string{"^kube_pod_info$", "^own"}})
	if err != nil {
		t.Fatal(err)
	}
	lines, log := renderLines(t, func(o *Options) { o.Custom, o.Filter = custom, filter })
	if got := pods(lines); !slices.Equal(got, []string{"web", "db"}) {
		t.Errorf("the built-in kind has pods %q, want web and db", got)
	}
	lines = slices.DeleteFunc(lines, func(line string) bool { return !strings.HasPrefix(line, "own_") })
	want := []string{
		`own_namespace_team{customresource_group="",customresource_kind="Namespace",customresource_version="v1",name="shop",team="a"} 1`,
		`own_pod_node{customresource_group="",customresource_kind="Pod",customresource_version="v1",name="web",node="n1"} 1`,
		`own_pod_on_n1{customresource_group="",customresource_kind="Pod",customresource_version="v1",name="web",node="n1"} 1`,
		`own_widget{customresource_group="example.org",customresource_kind="Widget",customresource_version="v1",name="w"} 3`,
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	if !strings.Contains(log, "the seriesLimit of their metric is reached") || !strings.Contains(log, "object=input:19 family=own_widget limit=1 samples=1") {
		t.Errorf("the log does not name the limit:\n%s", log)
	}
	// The flags that restrict pods also restrict entries of pods.
	lines, _ = renderLines(t, func(o *Options) { o.Custom, o.Filter, o.TrackUnscheduled = custom, filter, true })
	if slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "own_pod") }) {
		t.Errorf("got pods with a node, want only unscheduled ones: %q", lines)
	}
}

// TestFieldSelectorsReadTheFieldOfTheirName checks that a missing field matches its zero value.
func TestFieldSelectorsReadTheFieldOfTheirName(t *testing.T) {
	objects, err := Read(Source{"input", strings.NewReader(`{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {nodeName: n1, hostNetwork: true}, status: {count: 3, o: {}}}`)})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"": true, "metadata.name=a": true, "metadata.name==a": true, "metadata.name!=a": false, "spec.nodeName=n2": false, "spec.nodeName!=n2": true,
		"spec.nodeName=n1,metadata.name=b": false, "spec.hostNetwork=true": true, "spec.hostNetwork=false": false, "spec.hostNetwork!=false": true,
		"spec.unschedulable=false": true, "spec.unschedulable=true": false, "status.phase=": true, "status.phase!=Failed": true, "status.count=3": true,
		"status.replicas=0": true, "metadata.name.x=": true, "status.count=0": false,
	} {
		s, err := fields.ParseSelector(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := matchesFields(s, objects[0]); got != want {
			t.Errorf("%s: got %t, want %t", text, got, want)
		}
	}
}
