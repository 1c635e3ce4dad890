package test

import (
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestDashboardIsMadeOnDemand: a ConfigMap that the sidecar of Grafana finds, with the dashboard of the mixin.
func TestDashboardIsMadeOnDemand(t *testing.T) {
	want, err := os.ReadFile("../mixin/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range rendered(t, `{}`) {
		if c, ok := object.(*corev1.ConfigMap); ok && strings.HasSuffix(c.Name, "-dashboard") {
			t.Error("the chart makes the dashboard without being asked to")
		}
	}
	c := find[*corev1.ConfigMap](t, rendered(t, `{dashboard: {enabled: true}}`), "statefleet-dashboard")
	if c.Namespace != "statefleet" || c.Labels["grafana_dashboard"] != "1" || c.Labels["app.kubernetes.io/name"] != "statefleet" {
		t.Errorf("namespace %s, labels %v", c.Namespace, c.Labels)
	}
	if c.Data["statefleet.json"] != strings.TrimSpace(string(want)) {
		t.Error("the ConfigMap has another dashboard than the mixin")
	}

	c = find[*corev1.ConfigMap](t, rendered(t, `{dashboard: {enabled: true, namespace: grafana, labels: {team: a}, annotations: {grafana_folder: Kubernetes}}}`),
		"statefleet-dashboard")
	if c.Namespace != "grafana" || c.Labels["team"] != "a" || c.Annotations["grafana_folder"] != "Kubernetes" {
		t.Errorf("namespace %s, labels %v, annotations %v", c.Namespace, c.Labels, c.Annotations)
	}
}
