package test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-jsonnet"
)

const mixinFolder = "../mixin"

// otherJob is the name of the job in Grafana's k8s-monitoring chart.
const otherJob = "integrations/kubernetes/kube-state-metrics"

// mixin has the fields of a mixin that its users read.
type mixin struct {
	Rules, Alerts struct {
		Groups []map[string]any `json:"groups"`
	}
	Dashboards map[string]any
}

// selecting returns Jsonnet that follows the mixin and sets the selector.
func selecting(selector string) string {
	return "+ { _config+:: { kubeStateMetricsSelector: '" + selector + "' } }"
}

// evaluate evaluates the mixin with additional Jsonnet before and after it.
func evaluate(t *testing.T, before, after string) (m mixin) {
	t.Helper()
	text, err := jsonnet.MakeVM().EvaluateAnonymousSnippet("test.jsonnet", `
		local mixin = `+before+` (import '`+mixinFolder+`/mixin.libsonnet') `+after+`;
		{ rules: mixin.prometheusRules, alerts: mixin.prometheusAlerts, dashboards: mixin.grafanaDashboards }`)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// groups returns the groups of rules.yaml with the given job.
func groups(t *testing.T, job string) []map[string]any {
	t.Helper()
	file := readYAML[struct{ Groups []map[string]any }](t, filepath.Join(mixinFolder, "rules.yaml"))
	for _, group := range file.Groups {
		for _, r := range group["rules"].([]any) {
			rule := r.(map[string]any)
			rule["expr"] = strings.ReplaceAll(rule["expr"].(string), `job="kube-state-metrics"`, `job="`+job+`"`)
		}
	}
	return file.Groups
}

// TestMixinHasTheRulesOfTheFile checks that recording rules and alerts are the groups of rules.yaml, with any job.
func TestMixinHasTheRulesOfTheFile(t *testing.T) {
	for job, after := range map[string]string{
		"kube-state-metrics": "",
		otherJob:             selecting(`job="` + otherJob + `"`),
	} {
		m := evaluate(t, "", after)
		if len(m.Rules.Groups) == 0 || len(m.Alerts.Groups) == 0 {
			t.Fatalf("got %d groups of recording rules, %d of alerts; want both", len(m.Rules.Groups), len(m.Alerts.Groups))
		}
		if diff := cmp.Diff(groups(t, job), append(m.Rules.Groups, m.Alerts.Groups...)); diff != "" {
			t.Errorf("job %s: rules.yaml (-) and the mixin (+) differ:\n%s", job, diff)
		}
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if found := strings.Contains(string(text), `job=\"kube-state-metrics\"`); found == (job == otherJob) {
			t.Errorf("job %s: got job=\"kube-state-metrics\" in the mixin: %t, want %t", job, found, !found)
		}
	}
}

// TestMixinSelectsMoreThanAJob checks that a selector may have several matchers.
func TestMixinSelectsMoreThanAJob(t *testing.T) {
	const selector = `job=~"a|b",team="c"`
	for _, group := range evaluate(t, "", selecting(selector)).Rules.Groups {
		first := group["rules"].([]any)[0].(map[string]any)["expr"]
		if want := "max by (cluster, job) (kube_state_metrics_total_shards{" + selector + "})"; first != want {
			t.Errorf("got first rule %s, want %s", first, want)
		}
	}
}

// TestMixinGoesWithOthers checks that the mixin keeps the rules, alerts and dashboards of a mixin before it, and that a
// later selector applies to both.
func TestMixinGoesWithOthers(t *testing.T) {
	const other = `{
		_config+:: { kubeStateMetricsSelector: 'job="x"', other: 1 },
		prometheusRules+:: { groups+: [{ name: 'other.rules' }] },
		prometheusAlerts+:: {
			groups+: [{ name: 'other' + $._config.other, selector: $._config.kubeStateMetricsSelector }],
		},
		grafanaDashboards+:: { 'other.json': {} },
	} +`
	m := evaluate(t, other, selecting(`job="y"`))
	if m.Rules.Groups[0]["name"] != "other.rules" || m.Rules.Groups[1]["name"] != "statefleet.rules" {
		t.Errorf("got recording rules %v, want those of the other mixin first", m.Rules.Groups)
	}
	if a := m.Alerts.Groups[0]; a["name"] != "other1" || a["selector"] != `job="y"` || len(m.Alerts.Groups) != 3 {
		t.Errorf("got first alerts %v, want those of the other mixin with the new selector", a)
	}
	if len(m.Dashboards) != 2 {
		t.Errorf("got %d dashboards, want 2", len(m.Dashboards))
	}
}

// TestMakeMixinWritesRulesForAJob checks that the files of "make mixin" match the mixin with the same job.
func TestMakeMixinWritesRulesForAJob(t *testing.T) {
	out := t.TempDir()
	if text, err := makeMixin(t, "JOB="+otherJob, "OUT="+out); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	rules := readYAML[struct{ Groups []map[string]any }](t, filepath.Join(out, "rules.yaml"))
	if diff := cmp.Diff(groups(t, otherJob), rules.Groups); diff != "" {
		t.Errorf("rules.yaml: want (-), got (+):\n%s", diff)
	}
	object := readYAML[struct {
		Kind string
		Spec struct{ Groups []map[string]any }
	}](t, filepath.Join(out, "prometheusrule.yaml"))
	if diff := cmp.Diff(groups(t, otherJob), object.Spec.Groups); diff != "" || object.Kind != "PrometheusRule" {
		t.Errorf("prometheusrule.yaml: %s, want (-), got (+):\n%s", object.Kind, diff)
	}
	want := evaluate(t, "", selecting(`job="`+otherJob+`"`)).Dashboards["statefleet.json"]
	if diff := cmp.Diff(want, readYAML[any](t, filepath.Join(out, "dashboard.json"))); diff != "" {
		t.Errorf("dashboard.json: want (-), got (+):\n%s", diff)
	}
	files, err := filepath.Glob(out + "/*")
	if err != nil || len(files) != 3 {
		t.Fatalf("got files %q, error %v; want 3 files", files, err)
	}
	for _, file := range files {
		text := readFile(t, file)
		for _, old := range []string{`job="kube-state-metrics"`, `job=\"kube-state-metrics\"`} {
			if strings.Contains(text, old) {
				t.Errorf("%s still has %s", filepath.Base(file), old)
			}
		}
	}
}

// TestMakeMixinRefusesWhatIsNoJob checks that a job must not have characters that end the selector or the command.
func TestMakeMixinRefusesWhatIsNoJob(t *testing.T) {
	for _, job := range []string{``, `a"b`, `a|b`, `a&b`, `a b`, `a'b`} {
		out := filepath.Join(t.TempDir(), "out")
		text, err := makeMixin(t, "JOB="+job, "OUT="+out)
		if err == nil || !strings.Contains(text, "JOB") {
			t.Errorf("JOB=%s: got error %v, %s; want one about JOB", job, err, text)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("JOB=%s: got files, want none", job)
		}
	}
}

func makeMixin(t *testing.T, variables ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "make", append([]string{"-s", "-C", "../..", "mixin"}, variables...)...)
	text, err := command.CombinedOutput()
	return string(text), err
}
