package test

import (
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// TestAuthFilterHasTheRightsThatItNeeds checks that overlay and chart enable the filter, grant only reviews in addition
// to the base, and have a role for readers.
func TestAuthFilterHasTheRightsThatItNeeds(t *testing.T) {
	base, chart := build(t, "base"), renderedWith(t, values(t, "../chart/tests/values/auth-filter.yaml"))
	for name, all := range map[string]objects{"overlay": build(t, "overlays/auth-filter"), "chart": chart} {
		args := arguments(t, all)
		if !slices.Contains(args, "--auth-filter") || !slices.Contains(args, "--auth-filter.path-prefix=/statefleet") {
			t.Errorf("%s: got arguments %q, want the flags of the filter", name, args)
		}
		equal(t, name+": own role", find[*rbacv1.Role](t, all, "statefleet").Rules, find[*rbacv1.Role](t, base, "statefleet").Rules)
		equal(t, name+": role of the filter", find[*rbacv1.ClusterRole](t, all, "statefleet-auth-filter").Rules, []rbacv1.PolicyRule{
			{APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"tokenreviews"}, Verbs: []string{"create"}},
			{APIGroups: []string{"authorization.k8s.io"}, Resources: []string{"subjectaccessreviews"}, Verbs: []string{"create"}},
		})
		equal(t, name+": role of readers", find[*rbacv1.ClusterRole](t, all, "statefleet-metrics-reader").Rules, []rbacv1.PolicyRule{
			{NonResourceURLs: []string{"/statefleet/metrics"}, Verbs: []string{"get"}},
		})
		equal(t, name+": subjects", find[*rbacv1.ClusterRoleBinding](t, all, "statefleet-auth-filter").Subjects,
			[]rbacv1.Subject{{Kind: "ServiceAccount", Name: "statefleet", Namespace: "statefleet"}})
	}
}

// TestAuthFilterIsOffUnlessAskedFor checks that base and chart grant no rights for the filter by default.
func TestAuthFilterIsOffUnlessAskedFor(t *testing.T) {
	for name, all := range installations(t) {
		if args := arguments(t, all); slices.Contains(args, "--auth-filter") {
			t.Errorf("%s: got arguments %q, want no --auth-filter", name, args)
		}
		for _, object := range all {
			if role, ok := object.(*rbacv1.ClusterRole); ok && role.Name != "statefleet" {
				t.Errorf("%s: got ClusterRole %s, want only statefleet", name, role.Name)
			}
		}
	}
}

// TestNoManifestWritesButTheTopology checks that no manifest grants writes except to the ConfigMap of the topology. The
// verb create for reviews stores nothing.
func TestNoManifestWritesButTheTopology(t *testing.T) {
	for name, objects := range everyManifest(t) {
		for _, object := range objects {
			for _, rule := range rules(object) {
				if verbs := beyondReading(rule); len(verbs) > 0 {
					t.Errorf("%s grants %q on %q, want no writes", name, verbs, rule.Resources)
				}
			}
		}
	}
}

func rules(object runtime.Object) []rbacv1.PolicyRule {
	switch o := object.(type) {
	case *rbacv1.Role:
		return o.Rules
	case *rbacv1.ClusterRole:
		return o.Rules
	default:
		return nil
	}
}

// beyondReading returns the verbs of a rule that neither read nor are allowed for its resources.
func beyondReading(rule rbacv1.PolicyRule) []string {
	allowed := []string{"get", "list", "watch"}
	switch {
	case slices.Equal(rule.Resources, []string{"configmaps"}) && len(rule.ResourceNames) == 1 && strings.HasSuffix(rule.ResourceNames[0], "-topology"):
		allowed = append(allowed, "update", "patch")
	case slices.Equal(rule.Resources, []string{"tokenreviews"}), slices.Equal(rule.Resources, []string{"subjectaccessreviews"}):
		allowed = []string{"create"}
	}
	return slices.DeleteFunc(slices.Clone(rule.Verbs), func(verb string) bool { return slices.Contains(allowed, verb) })
}

// TestMonitorsSendAToken checks that monitors send the token in the values. Without one, a ServiceMonitor sends that of
// Prometheus.
func TestMonitorsSendAToken(t *testing.T) {
	service := find[*monitoringv1.ServiceMonitor](t, rendered(t, `{authFilter: {enabled: true}, prometheus: {monitor: {enabled: true, kind: ServiceMonitor,
		http: {bearerTokenSecret: {name: a, key: b}}}}}`), "statefleet").Spec.Endpoints
	if own := service[0]; own.BearerTokenSecret == nil || own.BearerTokenSecret.Name != "a" || own.BearerTokenFile != "" {
		t.Errorf("ServiceMonitor with a token: got %+v, want the secret a", own)
	}
	if telemetry := service[1]; telemetry.BearerTokenFile != "/var/run/secrets/kubernetes.io/serviceaccount/token" {
		t.Errorf("ServiceMonitor without a token: got %+v, want the token of Prometheus", telemetry)
	}
	pods := find[*monitoringv1.PodMonitor](t, rendered(t, `{authFilter: {enabled: true}, prometheus: {monitor: {enabled: true,
		http: {authorization: {credentials: {name: a, key: b}}}, metrics: {authorization: {credentials: {name: c, key: d}}}}}}`), "statefleet")
	for i, want := range []string{"a", "c"} {
		if got := pods.Spec.PodMetricsEndpoints[i].Authorization; got == nil || got.Credentials.Name != want {
			t.Errorf("PodMonitor, endpoint %d: got %+v, want the secret %s", i, got, want)
		}
	}
	open := find[*monitoringv1.ServiceMonitor](t, rendered(t, `{prometheus: {monitor: {enabled: true, kind: ServiceMonitor}}}`), "statefleet")
	if file := open.Spec.Endpoints[0].BearerTokenFile; file != "" {
		t.Errorf("without the filter: got bearerTokenFile %s, want none", file)
	}
}

// TestAuthFilterSettings checks that the role of readers matches the path prefix, and that audiences become a flag.
func TestAuthFilterSettings(t *testing.T) {
	all := rendered(t, `{authFilter: {enabled: true, pathPrefix: "", audiences: [statefleet, metrics]}}`)
	args := arguments(t, all)
	if !slices.Contains(args, "--auth-filter.audience=statefleet,metrics") || strings.Contains(strings.Join(args, " "), "path-prefix") {
		t.Errorf("got arguments %q, want the audiences and no path prefix", args)
	}
	equal(t, "role of readers", find[*rbacv1.ClusterRole](t, all, "statefleet-metrics-reader").Rules, []rbacv1.PolicyRule{
		{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}},
	})
	for _, prefix := range []string{"statefleet", "/statefleet/", "/*"} {
		if _, err := render(t, map[string]any{"authFilter": map[string]any{"enabled": true, "pathPrefix": prefix}}); err == nil {
			t.Errorf("pathPrefix %q is accepted, want an error", prefix)
		}
	}
}
