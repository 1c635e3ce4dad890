// Package chart is a Helm chart. Its tests keep the table of values in the README in step with values.yaml.
// manifests/test tests the rendered objects.
package chart

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the generated files")

// value is a documented key of values.yaml.
type value struct {
	path string // a.b
	text string // the comment above the key
}

// documented returns the keys with a "# --" comment above them. It expects block style with two spaces for each level.
func documented(values []byte) []value {
	var (
		all  []value
		path []string
		text string
	)
	for line := range strings.Lines(string(values)) {
		content := strings.TrimSpace(line)
		if comment, ok := strings.CutPrefix(content, "# --"); ok {
			text = strings.TrimSpace(comment)
			continue
		}
		key, _, ok := strings.Cut(content, ":")
		if !ok || strings.HasPrefix(content, "#") || strings.HasPrefix(content, "-") {
			continue
		}
		level := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		path = append(path[:min(level, len(path))], key)
		if text != "" {
			all = append(all, value{strings.Join(path, "."), text})
			text = ""
		}
	}
	return all
}

// lookup returns the value at a path.
func lookup(tree map[string]any, path string) (any, bool) {
	first, rest, nested := strings.Cut(path, ".")
	v, ok := tree[first]
	if !nested || !ok {
		return v, ok
	}
	sub, _ := v.(map[string]any)
	return lookup(sub, rest)
}

// undocumented returns the paths of undocumented values. A value is documented if it, a map that contains it, or all
// values in it are.
func undocumented(tree map[string]any, prefix string, known map[string]bool) []string {
	var missing []string
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		path := prefix + key
		if known[path] {
			continue
		}
		if sub, ok := tree[key].(map[string]any); ok && len(sub) > 0 {
			missing = append(missing, undocumented(sub, path+".", known)...)
			continue
		}
		missing = append(missing, path)
	}
	return missing
}

const head = `# statefleet, the chart

<!-- Generated from values.yaml by "make generate". -->

` + "```" + `
helm install statefleet manifests/chart --namespace statefleet --create-namespace \
  --set image.repository=registry.example/statefleet
` + "```" + `

The chart creates a StatefulSet with a headless Service, a ServiceAccount with only the rights that
the exposed kinds need, and a PodDisruptionBudget. Values add a PodMonitor, ServiceMonitor or
ScrapeConfig, a NetworkPolicy, and a HorizontalPodAutoscaler or VerticalPodAutoscaler.

` + "`make chart`" + ` packages the chart as dist/chart/statefleet-VERSION.tgz. To install it from a registry:

` + "```" + `
make push-chart VERSION=v0.1.0 REPOSITORY=registry.example/charts
helm upgrade --install statefleet oci://registry.example/charts/statefleet --version 0.1.0 \
  --namespace statefleet --create-namespace --set image.repository=registry.example/statefleet
` + "```" + `

[docs/upgrades.md](../../docs/upgrades.md) describes what ` + "`helm upgrade`" + ` does to a fleet that was
scaled, and how to roll back.

With ` + "`rbac.useClusterRole=false`" + `, the fleet can read nothing outside of ` + "`namespaces`" + `. Cluster-scoped
kinds such as nodes are then left out.

## From the kube-state-metrics chart

Keep your values and set ` + "`image`" + `. Values with the same name have the same meaning. A verbatim copy
of that chart's values renders, with one replica, and with the image ` + "`statefleet`" + ` instead of
kube-state-metrics. The monitor is a PodMonitor unless you set ` + "`prometheus.monitor.kind`" + `. With
` + "`selfMonitor.enabled: false`" + `, the default of that chart, Prometheus does not scrape statefleet's own
metrics, and the alerts have no data.

`

const table = `
## Values

| Value | Default | Meaning |
| --- | --- | --- |
`

func TestReadmeIsGenerated(t *testing.T) {
	source := read(t, "values.yaml")
	var tree map[string]any
	if err := yaml.UnmarshalStrict(source, &tree); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString(head + fromKSM(t, tree) + table)
	known := map[string]bool{}
	for _, v := range documented(source) {
		known[v.path] = true
		given, ok := lookup(tree, v.path)
		if !ok {
			t.Fatalf("values.yaml: the comment %q is above %s, want it above a value", v.text, v.path)
		}
		text, err := json.Marshal(given)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(v.text, ".") {
			t.Errorf("values.yaml: the comment of %s must be one line that ends with a full stop", v.path)
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", v.path, text, strings.ReplaceAll(v.text, "|", `\|`))
	}
	for _, path := range undocumented(tree, "", known) {
		t.Errorf("values.yaml: %s is not documented", path)
	}
	const file = "README.md"
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(read(t, file), b.Bytes()) {
		t.Errorf("%s differs from values.yaml; run make generate", file)
	}
}

// TestSchemaKnowsEveryValue checks that the schema and values.yaml have the same keys, except where the schema allows
// any key.
func TestSchemaKnowsEveryValue(t *testing.T) {
	var tree map[string]any
	if err := yaml.UnmarshalStrict(read(t, "values.yaml"), &tree); err != nil {
		t.Fatal(err)
	}
	var s schema
	if err := json.Unmarshal(read(t, "values.schema.json"), &s); err != nil {
		t.Fatal(err)
	}
	if !s.closed() {
		t.Error("the schema must not allow additional properties")
	}
	for _, key := range slices.Sorted(maps.Keys(s.Properties)) {
		if _, ok := tree[key]; !ok && key != "enabled" { // a parent chart sets it, and a default would override that
			t.Errorf("values.yaml lacks %s, which the schema has", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		sub, known := s.Properties[key]
		if !known {
			t.Errorf("the schema lacks %s", key)
		}
		given, ok := tree[key].(map[string]any)
		if !ok || !sub.closed() {
			continue
		}
		for name := range given {
			if _, ok := sub.Properties[name]; !ok {
				t.Errorf("the schema lacks %s.%s", key, name)
			}
		}
	}
}

// schema has the fields of a JSON schema that the test reads.
type schema struct {
	Properties map[string]schema `json:"properties"`
	Additional json.RawMessage   `json:"additionalProperties"`
}

// closed reports whether the schema rejects properties that it does not define.
func (s schema) closed() bool { return string(s.Additional) == "false" }

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
