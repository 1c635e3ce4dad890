package test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestDashboardIsMadeOnDemand checks the ConfigMap with the dashboard of the mixin, which Grafana's sidecar finds by
// its label. It is optional.
func TestDashboardIsMadeOnDemand(t *testing.T) {
	want := readFile(t, "../mixin/dashboard.json")
	for _, object := range rendered(t, `{}`) {
		if c, ok := object.(*corev1.ConfigMap); ok && strings.HasSuffix(c.Name, "-dashboard") {
			t.Error("the chart has a dashboard by default, want none")
		}
	}
	c := find[*corev1.ConfigMap](t, rendered(t, `{dashboard: {enabled: true}}`), "statefleet-dashboard")
	if c.Namespace != "statefleet" || c.Labels["grafana_dashboard"] != "1" || c.Labels["app.kubernetes.io/name"] != "statefleet" {
		t.Errorf("got namespace %s, labels %v; want statefleet and the label of the sidecar", c.Namespace, c.Labels)
	}
	if c.Data["statefleet.json"] != strings.TrimSpace(want) {
		t.Error("the dashboard in the ConfigMap differs from manifests/mixin/dashboard.json")
	}

	c = find[*corev1.ConfigMap](t, rendered(t, `{dashboard: {enabled: true, namespace: grafana, labels: {team: a}, annotations: {grafana_folder: Kubernetes}}}`),
		"statefleet-dashboard")
	if c.Namespace != "grafana" || c.Labels["team"] != "a" || c.Annotations["grafana_folder"] != "Kubernetes" {
		t.Errorf("got namespace %s, labels %v, annotations %v; want those given", c.Namespace, c.Labels, c.Annotations)
	}
}
