// Package mixin has alerts, recording rules and a dashboard for a fleet. Its tests keep them in step with the existing
// metrics and the runbooks. promtool tests the rules themselves with the files in the folder tests.
package mixin

import (
	"bytes"
	"encoding/json"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/statefleet/statefleet/manifests/presets"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/resources/customresource"
)

var update = flag.Bool("update", false, "write the generated files")

const runbooks = "https://github.com/statefleet/statefleet/blob/main/docs/operations.md#"

// ruleFile has the fields of a rules file that the tests read. promtool checks the rest.
type ruleFile struct {
	Groups []struct {
		Name  string `json:"name"`
		Rules []rule `json:"rules"`
	} `json:"groups"`
}

type rule struct {
	Record      string            `json:"record"`
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func (f ruleFile) rules() []rule {
	var all []rule
	for _, g := range f.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// TestPrometheusRuleIsGenerated checks that the PrometheusRule has the groups of rules.yaml.
func TestPrometheusRuleIsGenerated(t *testing.T) {
	const file = "prometheusrule.yaml"
	want := prometheusRule(read(t, "rules.yaml"))
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(read(t, file), want) {
		t.Errorf("%s differs from rules.yaml; run make generate", file)
	}
	var object struct {
		APIVersion string         `json:"apiVersion"`
		Kind       string         `json:"kind"`
		Metadata   map[string]any `json:"metadata"`
		Spec       ruleFile       `json:"spec"`
	}
	if err := yaml.UnmarshalStrict(want, &object); err != nil {
		t.Fatal(err)
	}
	if got, plain := len(object.Spec.rules()), len(rules(t)); got != plain {
		t.Errorf("%s has %d rules, want %d as in rules.yaml", file, got, plain)
	}
}

// prometheusRule returns a PrometheusRule with the unchanged text of the groups in a rules file.
func prometheusRule(rules []byte) []byte {
	var b strings.Builder
	b.WriteString(`# Generated from rules.yaml by "make generate".
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: statefleet
  labels:
    app.kubernetes.io/name: statefleet
spec:
`)
	_, groups, _ := strings.Cut(string(rules), "\ngroups:")
	for line := range strings.Lines("groups:" + groups) {
		if strings.TrimSpace(line) != "" {
			b.WriteString("  ")
		}
		b.WriteString(line)
	}
	return []byte(b.String())
}

// TestEveryAlertTellsWhatToDo checks that each alert has a severity, a summary, a description, and an existing runbook.
func TestEveryAlertTellsWhatToDo(t *testing.T) {
	runbook := string(read(t, "../../docs/operations.md"))
	alerts := map[string]bool{}
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		alerts[r.Alert] = true
		if s := r.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s: got severity %q, want critical or warning", r.Alert, s)
		}
		for _, text := range []string{"summary", "description"} {
			if !strings.HasSuffix(r.Annotations[text], ".") {
				t.Errorf("%s: %s must end with a full stop, got %q", r.Alert, text, r.Annotations[text])
			}
		}
		if want := runbooks + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
			t.Errorf("%s: got runbook_url %q, want %q", r.Alert, r.Annotations["runbook_url"], want)
		}
		if !strings.Contains(runbook, "\n### "+r.Alert+"\n") {
			t.Errorf("docs/operations.md has no section %s", r.Alert)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(runbook, -1) {
		if !alerts[m[1]] {
			t.Errorf("docs/operations.md describes %s, which is not an alert in rules.yaml", m[1])
		}
	}
}

// runbookSections returns the sections of docs/operations.md that describe alerts, by alert.
func runbookSections(t *testing.T) map[string]string {
	t.Helper()
	_, alerts, _ := strings.Cut(string(read(t, "../../docs/operations.md")), "\n## Alerts\n")
	sections := map[string]string{}
	for _, section := range strings.Split(alerts, "\n### ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		sections[name] = strings.TrimSpace(text)
	}
	if len(sections) < 20 {
		t.Fatalf("docs/operations.md describes %d alerts, want at least 20", len(sections))
	}
	return sections
}

// TestRunbooksBeginWithWhatIsLost checks that each runbook begins with what is lost and what is not.
func TestRunbooksBeginWithWhatIsLost(t *testing.T) {
	form := regexp.MustCompile(`^\*\*Lost:\*\* .+[.] \*\*Not lost:\*\* .+[.]$`)
	for alert, text := range runbookSections(t) {
		first, _, _ := strings.Cut(text, "\n\n")
		if first = strings.ReplaceAll(first, "\n", " "); !form.MatchString(first) {
			t.Errorf("docs/operations.md: %s begins with %q, want \"**Lost:** ... **Not lost:** ...\"", alert, first)
		}
	}
}

// TestRunbooksHaveCommandsToCopy checks that each runbook has commands that work unchanged with the default
// installation. They must not use "kubectl exec", because the image has no shell.
func TestRunbooksHaveCommandsToCopy(t *testing.T) {
	block := regexp.MustCompile("(?s)\n```\n(.*?)\n```")
	placeholder := regexp.MustCompile(`\b(POD|NAME|RESOURCE|NAMESPACE|N)\b|<\w+>|[.]{3}|kubectl.* exec `)
	column := regexp.MustCompile(`custom-columns=\S+`)
	for alert, text := range runbookSections(t) {
		var commands []string
		for _, m := range block.FindAllStringSubmatch(text, -1) {
			commands = append(commands, column.ReplaceAllString(m[1], ""))
		}
		all := strings.Join(commands, "\n")
		if !strings.Contains(all, "kubectl ") {
			t.Errorf("docs/operations.md: %s has no command to copy", alert)
		}
		if open := placeholder.FindString(all); open != "" {
			t.Errorf("docs/operations.md: a command of %s has a placeholder or uses exec: %q", alert, open)
		}
	}
}

// TestRunbooksSearchForLinesOfTheLog checks that the log lines that runbooks search for or mention are in the source.
func TestRunbooksSearchForLinesOfTheLog(t *testing.T) {
	source, searched, mentioned := sourceText(t), 0, 0
	search := regexp.MustCompile(`logs -l [^\n]*\|\s+grep (?:-E )?'([^']+)'`)
	mention := regexp.MustCompile("\\blog\\s+has\\s+`([^`]+)`")
	for alert, text := range runbookSections(t) {
		var lines []string
		for _, m := range search.FindAllStringSubmatch(text, -1) {
			lines = append(lines, strings.Split(m[1], "|")...)
			searched++
		}
		for _, m := range mention.FindAllStringSubmatch(text, -1) {
			lines = append(lines, strings.Join(strings.Fields(m[1]), " "))
			mentioned++
		}
		for _, line := range lines {
			if line != "verb=watch" && !strings.Contains(source, line) {
				t.Errorf("docs/operations.md: %s has the log line %q, which the source does not have", alert, line)
			}
		}
	}
	if searched < 10 || mentioned == 0 {
		t.Errorf("the patterns found %d searches of the log, and %d lines that it has; want at least 10 and 1",
			searched, mentioned)
	}
}

// TestDocumentsDefineNoAlerts checks that only rules.yaml defines alerts, because copies would become outdated.
func TestDocumentsDefineNoAlerts(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("got documents %q, error %v; want some", files, err)
	}
	for _, file := range files {
		if definition := regexp.MustCompile(`(?m)^\s*- alert: .*`).Find(read(t, file)); definition != nil {
			t.Errorf("%s defines an alert: %s", file, definition)
		}
	}
}

// TestEveryAlertIsTested checks that promtool tests each alert at a time when it fires and at one when it does not.
func TestEveryAlertIsTested(t *testing.T) {
	fires, silent := map[string]bool{}, map[string]bool{}
	files, err := filepath.Glob("tests/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		var tests struct {
			Tests []struct {
				Alerts []struct {
					Alert    string            `json:"alertname"`
					Expected []json.RawMessage `json:"exp_alerts"`
				} `json:"alert_rule_test"`
			} `json:"tests"`
		}
		if err := yaml.Unmarshal(read(t, file), &tests); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, test := range tests.Tests {
			for _, a := range test.Alerts {
				fires[a.Alert] = fires[a.Alert] || len(a.Expected) > 0
				silent[a.Alert] = silent[a.Alert] || len(a.Expected) == 0
			}
		}
	}
	for _, r := range rules(t) {
		if r.Alert != "" && (!fires[r.Alert] || !silent[r.Alert]) {
			t.Errorf("%s: tested while it fires: %t, while it does not: %t; want both", r.Alert, fires[r.Alert], silent[r.Alert])
		}
	}
}

// TestMetricsExist checks that rules, dashboard and docs/operations.md contain only metrics that the program exposes or
// a rule records.
func TestMetricsExist(t *testing.T) {
	exist := selfMetrics(t)
	for _, k := range resources.All() {
		for _, f := range k.Families() {
			exist[f.Name] = true
		}
	}
	for _, name := range presets.Names() {
		text, err := presets.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := customresource.ParseStrict(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range c.Families() {
			exist[f.Name] = true
		}
	}
	recorded := map[string]bool{}
	for _, r := range rules(t) {
		recorded[r.Record] = true
	}
	histogramPart := regexp.MustCompile(`_(bucket|count|sum)$`)
	names := regexp.MustCompile(`\b(statefleet:\w+:\w+|(?:statefleet|kube_state_metrics|kube|gotk|gatewayapi)_[a-z0-9_]+)\b`)
	for _, file := range []string{"rules.yaml", "dashboard.json", "../../docs/operations.md"} {
		found := map[string]bool{}
		for _, name := range names.FindAllString(string(read(t, file)), -1) {
			found[name] = true
		}
		if len(found) < 10 {
			t.Errorf("the pattern found %d metrics in %s, want at least 10", len(found), file)
		}
		for _, name := range slices.Sorted(maps.Keys(found)) {
			plain := histogramPart.ReplaceAllString(name, "")
			if !exist[name] && !exist[plain] && !recorded[name] {
				t.Errorf("%s contains the metric %s, which does not exist", file, name)
			}
		}
	}
}

// selfMetrics returns the names of metrics in the program's source: all string literals of that form.
func selfMetrics(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	literal := regexp.MustCompile(`"((?:statefleet|kube_state_metrics)_[a-z0-9_]+)"`)
	for _, m := range literal.FindAllStringSubmatch(sourceText(t), -1) {
		names[m[1]] = true
	}
	return names
}

// sourceText returns the text of the program's source, without tests.
func sourceText(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, folder := range []string{"cmd", "internal", "resources", "shard", "store"} {
		err := filepath.WalkDir(filepath.Join("../..", folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			all.Write(read(t, path))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file ruleFile
	if err := yaml.UnmarshalStrict(read(t, "rules.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	return file.rules()
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
