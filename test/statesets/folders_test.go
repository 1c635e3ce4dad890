package statesets

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// collection has the groups of rules and the queries of dashboards in some folders.
type collection struct {
	groups  []any
	queries []string
}

// read adds the rules and dashboards of a file: a rule file, PrometheusRule objects, or dashboards in JSON, which may
// be in ConfigMaps.
func (c *collection) read(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for _, document := range strings.Split(string(text), "\n---\n") {
		var value any
		if err := yaml.Unmarshal([]byte(document), &value); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		c.visit(value)
	}
	return nil
}

func (c *collection) visit(value any) {
	switch value := value.(type) {
	case []any:
		for _, v := range value {
			c.visit(v)
		}
	case map[string]any:
		if groups, ok := value["groups"].([]any); ok {
			c.groups = append(c.groups, groups...)
			return
		}
		for _, key := range []string{"expr", "query"} {
			if query, ok := value[key].(string); ok {
				c.queries = append(c.queries, query)
			}
		}
		for key, v := range value {
			if text, ok := v.(string); ok && strings.HasSuffix(key, ".json") {
				var dashboard any
				if json.Unmarshal([]byte(text), &dashboard) == nil {
					c.visit(dashboard)
				}
			}
			c.visit(v)
		}
	}
}

var (
	labelValues = regexp.MustCompile(`^label_values\((.*),\s*(\w+)\)$`)
	variable    = regexp.MustCompile(`\$\{?(\w+)(?::\w+)?\}?`)
)

// query returns a query of a dashboard without the matchers that have variables, so that it selects all their values.
// ok is false if the text is not PromQL.
func query(text string) (expr string, ok bool) {
	text = strings.TrimSpace(text)
	if inner := labelValues.FindStringSubmatch(text); inner != nil {
		text = fmt.Sprintf("group by (%s) (%s)", inner[2], inner[1])
	}
	const placeholder = "variable_"
	text = variable.ReplaceAllStringFunc(text, func(v string) string {
		if name := variable.FindStringSubmatch(v)[1]; strings.HasPrefix(name, "__") || name == "interval" || name == "resolution" {
			return "5m"
		}
		return placeholder
	})
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		return "", false
	}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok {
			s.LabelMatchers = slices.DeleteFunc(s.LabelMatchers, func(m *labels.Matcher) bool {
				return strings.Contains(m.Value, placeholder)
			})
		}
		return nil
	})
	return parsed.String(), true
}

// usage returns a function that adds kubelet metrics about containers and nodes to an exposition. Their values grow
// with each call.
func usage() func(exposition string) string {
	info := regexp.MustCompile(`(?m)^kube_pod_container_info\{(namespace="\w+",pod="[\w-]+"),.*?(container="\w+")`)
	minute := 0
	return func(exposition string) string {
		minute++
		var b strings.Builder
		b.WriteString(exposition)
		for _, labels := range info.FindAllStringSubmatch(exposition, -1) {
			series := fmt.Sprintf(`{%s,%s,image="app",node="steady"}`, labels[1], labels[2])
			fmt.Fprintf(&b, "container_memory_working_set_bytes%s %d\ncontainer_cpu_usage_seconds_total%s %d\n",
				series, 1000+minute, series, 60*minute)
		}
		b.WriteString("machine_cpu_cores{node=\"steady\"} 4\nmachine_memory_bytes{node=\"steady\"} 8e9\n")
		return b.String()
	}
}

// TestRulesInFolders evaluates the rules and dashboards in the folders that STATEFLEET_RULES names,
// such as a copy of the manifests of kube-prometheus. "make statesets" runs it.
func TestRulesInFolders(t *testing.T) {
	folders := strings.Fields(os.Getenv("STATEFLEET_RULES"))
	if len(folders) == 0 {
		t.Skip(`STATEFLEET_RULES names no folder; see "make statesets"`)
	}
	var c collection
	for _, folder := range folders {
		for _, ending := range []string{"*.yaml", "*.yml", "*.json"} {
			files, err := filepath.Glob(filepath.Join(folder, ending))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				if err := c.read(file); err != nil {
					t.Error(err)
				}
			}
		}
	}
	for i, group := range c.groups { // groups of two files may have the same name
		group.(map[string]any)["name"] = fmt.Sprint(i)
		delete(group.(map[string]any), "interval")
	}
	text, err := yaml.Marshal(map[string]any{"groups": c.groups})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	objects := newCluster(t)
	with, without := watch(t, objects, false, usage(), file), watch(t, objects, true, usage(), file)
	known := map[string]bool{}
	for _, r := range newMonitor(t, readings).rules() {
		known[r.name] = true
	}
	for name, found := range differences(t, with, without) {
		if len(found) > 0 {
			t.Errorf("%s:\n%s", name, strings.Join(found, "\n"))
		}
	}
	listed, readers := table(t), 0
	reads := func(expr string) bool {
		return slices.ContainsFunc(families(t, expr), func(name string) bool { _, ok := listed[name]; return ok })
	}
	for _, r := range with.rules() {
		if !reads(r.expr) {
			continue
		}
		readers++
		if !known[r.name] {
			t.Errorf("%s reads families with skipped zeros, but %s does not have it", r.name, readings)
		}
		if got, err := with.evaluate(r.expr); err != nil || len(got) == 0 {
			t.Errorf("%s: got no result, so the comparison proves nothing: %v", r.name, err)
		}
	}
	t.Logf("%d rules, %d of which read families with skipped zeros", len(with.rules()), readers)
	compareQueries(t, c.queries, with, without, reads)
}

// compareQueries compares the results of dashboard queries with and without zeros. A sum without samples has no result
// instead of 0. Such differences are only logged.
func compareQueries(t *testing.T, texts []string, with, without *monitor, reads func(expr string) bool) {
	t.Helper()
	slices.Sort(texts)
	compared := 0
	for _, text := range slices.Compact(texts) {
		expr, ok := query(text)
		if !ok || !reads(expr) {
			continue
		}
		compared++
		want, err := with.evaluate(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		got, err := without.evaluate(expr)
		found, zeros := difference(want, got)
		if err != nil || len(found) > 0 {
			t.Errorf("%s: %v\n%s", expr, err, strings.Join(found, "\n"))
		}
		if zeros > 0 {
			t.Logf("%s: %d values of 0 have no counterpart", expr, zeros)
		}
		if len(want) == 0 {
			t.Errorf("%s: got no result, so the comparison proves nothing", expr)
		}
	}
	t.Logf("%d queries, %d of which were compared", len(texts), compared)
}
