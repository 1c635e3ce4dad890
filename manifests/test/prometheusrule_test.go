package test

import (
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// rulesOfTheMixin returns the groups of manifests/mixin/rules.yaml with the given job.
func rulesOfTheMixin(t *testing.T, job string) []monitoringv1.RuleGroup {
	t.Helper()
	text := strings.ReplaceAll(readFile(t, "../mixin/rules.yaml"), `job="kube-state-metrics"`, `job="`+job+`"`)
	var file monitoringv1.PrometheusRuleSpec
	if err := yaml.UnmarshalStrict([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	return file.Groups
}

// TestRulesSelectTheJobOfTheFleet checks that rules and dashboard select the job in mixin.job, or else that of the
// monitor.
func TestRulesSelectTheJobOfTheFleet(t *testing.T) {
	for _, object := range rendered(t, `{}`) {
		if _, ok := object.(*monitoringv1.PrometheusRule); ok {
			t.Error("the chart has rules by default, want none")
		}
	}
	for values, job := range map[string]string{
		`{prometheusRule: {enabled: true}, dashboard: {enabled: true}}`:                                                       "kube-state-metrics",
		`{prometheusRule: {enabled: true}, dashboard: {enabled: true}, prometheus: {monitor: {job: fleet}}}`:                  "fleet",
		`{prometheusRule: {enabled: true}, dashboard: {enabled: true}, mixin: {job: integrations/kubernetes/state}}`:          "integrations/kubernetes/state",
		`{prometheusRule: {enabled: true}, dashboard: {enabled: true}, mixin: {job: a}, prometheus: {monitor: {job: fleet}}}`: "a",
	} {
		all := rendered(t, values)
		rule := find[*monitoringv1.PrometheusRule](t, all, "statefleet")
		want := rulesOfTheMixin(t, job)
		if len(rule.Spec.Groups) != len(want) {
			t.Fatalf("%s: got %d groups, want %d", values, len(rule.Spec.Groups), len(want))
		}
		for i, group := range want {
			for j, r := range group.Rules {
				got := rule.Spec.Groups[i].Rules[j]
				if got.Expr != r.Expr || got.Annotations["description"] != r.Annotations["description"] {
					t.Errorf("%s: rule %s%s: got %s, want %s", values, r.Alert, r.Record, got.Expr.String(), r.Expr.String())
				}
			}
		}
		dashboard := find[*corev1.ConfigMap](t, all, "statefleet-dashboard").Data["statefleet.json"]
		if !strings.Contains(dashboard, `job=\"`+job+`\"`) {
			t.Errorf("%s: the dashboard does not select job %s", values, job)
		}
	}
	rule := find[*monitoringv1.PrometheusRule](t, rendered(t, `{prometheusRule: {enabled: true, namespace: monitoring, labels: {release: stack}, annotations: {a: b}}}`), "statefleet")
	if rule.Namespace != "monitoring" || rule.Labels["release"] != "stack" || rule.Annotations["a"] != "b" {
		t.Errorf("got namespace %s, labels %v, annotations %v; want those given",
			rule.Namespace, rule.Labels, rule.Annotations)
	}
}
