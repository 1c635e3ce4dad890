package test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
)

// TestGroupsOfKindsHaveScrapesOfTheirOwn checks that each kind is in one scrape, with the settings of its group. The
// label scrape_group distinguishes the metrics about scrapes. It is dropped from metrics of objects.
func TestGroupsOfKindsHaveScrapesOfTheirOwn(t *testing.T) {
	endpoints := find[*monitoringv1.ServiceMonitor](t, rendered(t, `{customResourceState: {enabled: true},
		prometheus: {monitor: {enabled: true, kind: ServiceMonitor,
		interval: 30s, http: {scheme: https, scrapeTimeout: 20s}, groups: [
			{resources: [nodes, leases], interval: 2m, metricRelabelings: [{action: drop, regex: a}]},
			{resources: [widgets.v1.example.com], scrapeTimeout: 5s}]}}}`), "statefleet").Spec.Endpoints
	var got []string
	for _, e := range endpoints {
		var group string
		for _, r := range e.RelabelConfigs {
			if r.TargetLabel == "scrape_group" {
				group = *r.Replacement
			}
		}
		dropped := slices.ContainsFunc(e.MetricRelabelConfigs, func(r monitoringv1.RelabelConfig) bool {
			return r.Action == "labeldrop" && r.Regex == "scrape_group"
		})
		if dropped != (group != "") {
			t.Errorf("%s: scrape_group=%q: got a labeldrop: %t, want %t", e.Port, group, dropped, !dropped)
		}
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %v %s %s %s %d", e.Port, e.Params, e.Interval, e.ScrapeTimeout,
			group, len(e.MetricRelabelConfigs))))
	}
	want := []string{
		"http-metrics map[resources:[nodes,leases]] 2m 20s nodes,leases 2",
		"http-metrics map[resources:[widgets.v1.example.com]] 30s 5s widgets.v1.example.com 1",
		"http-metrics map[exclude_resources:[nodes,leases,widgets.v1.example.com]] 30s 20s  0",
		"telemetry map[] 30s   0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got endpoints\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestGroupsOfAllKindsLeaveNoOtherScrape checks that there is no scrape for other kinds if groups contain all kinds.
func TestGroupsOfAllKindsLeaveNoOtherScrape(t *testing.T) {
	endpoints := find[*monitoringv1.PodMonitor](t, rendered(t, `{collectors: [pods, jobs], selfMonitor: {enabled: false},
		prometheus: {monitor: {enabled: true, groups: [{resources: [pods]}, {resources: [jobs]}]}}}`),
		"statefleet").Spec.PodMetricsEndpoints
	if len(endpoints) != 2 || endpoints[1].Params["resources"][0] != "jobs" {
		t.Errorf("got endpoints %+v, want one for each group", endpoints)
	}
}

// TestScrapeConfigFindsThePods checks that the ScrapeConfig selects both ports of the fleet's pods, and sets the same
// labels as a PodMonitor.
func TestScrapeConfigFindsThePods(t *testing.T) {
	spec := find[*monitoringv1alpha1.ScrapeConfig](t, rendered(t, `{prometheus: {scrapeconfig: {enabled: true,
		staticConfigLabels: {price: "$1"}}}}`), "statefleet").Spec
	found := spec.KubernetesSDConfigs[0]
	if found.Role != "Pod" || !slices.Equal(found.Namespaces.Names, []string{"statefleet"}) ||
		*found.Selectors[0].Label != "app.kubernetes.io/name=statefleet,app.kubernetes.io/instance=statefleet" {
		t.Errorf("got discovery %+v, want that of the fleet's pods", found)
	}
	if *spec.JobName != "kube-state-metrics" || !*spec.HonorLabels {
		t.Errorf("got job %s, honorLabels %t; want kube-state-metrics, true", *spec.JobName, *spec.HonorLabels)
	}
	for port, want := range map[string]string{"http-metrics": "", "telemetry": "telemetry"} {
		target := relabel(t, spec.RelabelConfigs, map[string]string{
			"__meta_kubernetes_pod_container_port_name": port, "__meta_kubernetes_pod_name": "statefleet-1",
			"__meta_kubernetes_pod_phase": "Running",
		})
		if target["instance"] != "statefleet-1" || target["endpoint"] != want || target["price"] != "$1" {
			t.Errorf("port %s: got labels %v, want instance, endpoint %q and price", port, target, want)
		}
	}
	for port, phase := range map[string]string{"other": "Running", "telemetry": "Failed"} {
		if target := relabel(t, spec.RelabelConfigs, map[string]string{
			"__meta_kubernetes_pod_container_port_name": port, "__meta_kubernetes_pod_phase": phase,
		}); target != nil {
			t.Errorf("port %s of a pod in phase %s: got target %v, want none", port, phase, target)
		}
	}
}

// TestPodMonitorKeepsTheInstanceStable checks the labels of targets with the PodMonitors of component and chart.
func TestPodMonitorKeepsTheInstanceStable(t *testing.T) {
	for name, all := range map[string]objects{
		"component": build(t, "prometheus-operator"), "chart": rendered(t, `{prometheus: {monitor: {enabled: true}}}`),
	} {
		endpoints := find[*monitoringv1.PodMonitor](t, all, "statefleet").Spec.PodMetricsEndpoints
		if len(endpoints) != 2 {
			t.Fatalf("%s: got %d endpoints, want one for each port", name, len(endpoints))
		}
		extra := map[string]map[string]string{"http-metrics": {}, "telemetry": {"endpoint": "telemetry"}}
		for _, e := range endpoints {
			if !e.HonorLabels {
				t.Errorf("%s: %s: got honorLabels false, want true", name, *e.Port)
			}
			// The labels before the relabelings: those of discovery, and those that the operator sets.
			got := relabel(t, e.RelabelConfigs, map[string]string{
				"__meta_kubernetes_pod_name": "statefleet-1", "instance": "10.0.0.7:8080", "job": "statefleet",
				"namespace": "statefleet", "pod": "statefleet-1", "container": "statefleet", "endpoint": *e.Port,
			})
			delete(got, "__meta_kubernetes_pod_name")
			want := map[string]string{"instance": "statefleet-1", "job": "kube-state-metrics"}
			maps.Copy(want, extra[*e.Port])
			if !maps.Equal(got, want) {
				t.Errorf("%s: %s: got labels %v, want %v", name, *e.Port, got, want)
			}
		}
	}
}

// relabel implements the relabeling actions of Prometheus that the chart uses. It returns nil for a dropped target.
func relabel(t *testing.T, rules []monitoringv1.RelabelConfig, target map[string]string) map[string]string {
	t.Helper()
	for _, r := range rules {
		var from []string
		for _, name := range r.SourceLabels {
			from = append(from, target[string(name)])
		}
		text, pattern := strings.Join(from, ";"), regexp.MustCompile("^(.*)$")
		if r.Regex != "" {
			pattern = regexp.MustCompile("^(?:" + r.Regex + ")$")
		}
		match := pattern.FindStringSubmatchIndex(text)
		switch r.Action {
		case "keep":
			if match == nil {
				return nil
			}
		case "drop":
			if match != nil {
				return nil
			}
		case "replace":
			if match == nil {
				continue
			}
			replacement := "$1"
			if r.Replacement != nil {
				replacement = *r.Replacement
			}
			target[r.TargetLabel] = string(pattern.ExpandString(nil, replacement, text, match))
		case "labeldrop":
			maps.DeleteFunc(target, func(label, _ string) bool { return pattern.MatchString(label) })
		default:
			t.Fatalf("got action %s, want keep, drop, replace or labeldrop", r.Action)
		}
	}
	return target
}
