package app

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/render"
	"github.com/statefleet/statefleet/internal/testing/exporter"
	"github.com/statefleet/statefleet/resources/customresource"
	"github.com/statefleet/statefleet/shard"
)

// extendedMetrics is a configuration with extensions of kube-state-metrics' format.
const extendedMetrics = `
kind: CustomResourceStateMetrics
spec:
  resources:
  - groupVersionKind: {group: "", version: v1, kind: Node}
    metricNamePrefix: own
    labelSelector: pool in (a,b)
    labelsFromPath: {node: [metadata, name]}
    metrics:
    - {name: node_unschedulable, each: {type: Gauge, gauge: {path: [spec, unschedulable], nilIsZero: true}}}
  - groupVersionKind: {group: "", version: v1, kind: Pod}
    metricNamePrefix: own
    labelsFromPath: {namespace: [metadata, namespace], pod: [metadata, name]}
    metrics:
    - name: pod_grace_seconds
      seriesLimit: 2
      each: {type: Gauge, gauge: {path: [spec, terminationGracePeriodSeconds]}}
  - groupVersionKind: {group: "", version: v1, kind: Pod}
    metricNamePrefix: own
    fieldSelector: spec.nodeName=n1
    labelsFromPath: {namespace: [metadata, namespace], pod: [metadata, name]}
    metrics:
    - {name: pod_on_n1, each: {type: Info, info: {labelsFromPath: {account: [spec, serviceAccountName]}}}}
`

// TestAnyFieldOfABuiltinKindIsExported checks that the exporter finds plural and scope by discovery, sends the
// selectors, observes the limit, and exposes the lines that render prints. The built-in kind is read separately, with a
// mask that has none of these fields.
func TestAnyFieldOfABuiltinKindIsExported(t *testing.T) {
	cluster := simulator.New(simulator.Options{})
	var input bytes.Buffer
	put := func(kind string, o simulator.Object) {
		if err := cluster.Put(o); err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		input.WriteString(strings.Replace(string(raw), "{", `{"apiVersion":"v1","kind":"`+kind+`",`, 1) + "\n---\n")
	}
	for name, pool := range map[string]string{"n1": "a", "n2": "b", "n3": "c"} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"pool": pool}}}
		node.Spec.Unschedulable = name == "n2"
		put("Node", node)
	}
	for i, node := range []string{"n1", "n2", "n1"} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "p" + string(rune('0'+i))}}
		pod.Spec = corev1.PodSpec{NodeName: node, ServiceAccountName: "web", TerminationGracePeriodSeconds: new(int64(30))}
		put("Pod", pod)
	}
	server, err := cluster.Serve("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	p := start(t, "--apiserver="+server.URL(), writeConfig(t, "resources: [pods]\ncustom-resource-state-config: |"+strings.ReplaceAll(extendedMetrics, "\n", "\n  ")+"\n"))
	var lines []string
	exporter.Eventually(t, "the entries are exposed", func() bool {
		lines = p.Samples(t)
		return exporter.Count(lines, "own_") == 6
	})
	own := slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return !strings.HasPrefix(l, "own_") })
	if len(own) == len(lines) || !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "kube_pod_info{") }) {
		t.Error("the built-in kind is not exposed")
	}
	for _, name := range []string{"pods.v1", "pods.v1:2", "nodes.v1"} {
		if n := p.selfMetric(t, `statefleet_resource_phase{phase="synced",resource="`+name+`"}`); n != 1 {
			t.Errorf("the phase of %s is not synced", name)
		}
	}
	if n := p.selfMetric(t, `statefleet_series_over_limit_total{family="own_pod_grace_seconds",resource="pods.v1"}`); n != 1 {
		t.Errorf("got %v samples counted as left out, want 1", n)
	}

	custom, err := customresource.Parse(strings.NewReader(extendedMetrics))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := render.Read(render.Source{Name: "input", Reader: &input})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := render.Write(&out, objects, render.Options{Custom: custom, Shard: shard.All(), Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	var rendered []string
	for line := range strings.Lines(out.String()) {
		if line[0] != '#' {
			rendered = append(rendered, line)
		}
	}
	slices.Sort(rendered)
	slices.Sort(own)
	// The order of the list determines which pods have the two samples within the limit.
	limited := func(l string) bool { return strings.HasPrefix(l, "own_pod_grace_seconds{") }
	if exporter.Count(rendered, "own_pod_grace_seconds{") != 2 || exporter.Count(own, "own_pod_grace_seconds{") != 2 {
		t.Error("the number of samples differs from the limit, 2")
	}
	if a, b := slices.DeleteFunc(own, limited), slices.DeleteFunc(rendered, limited); !slices.Equal(a, b) || len(a) != 4 {
		t.Errorf("the exporter exposes\n%s\nrender prints\n%s", strings.Join(a, ""), strings.Join(b, ""))
	}
}
