package customresource

import (
	"strings"
	"testing"

	"github.com/statefleet/statefleet/resources"
)

// The names of exported built-in families must not be used.
func TestNamesOfBuiltInFamiliesAreRefused(t *testing.T) {
	f := func(kinds string, s resources.Selection, metrics string, want ...string) {
		t.Helper()
		filter, err := resources.NewFilter(s)
		if err != nil {
			t.Fatal(err)
		}
		var builtin []resources.Kind
		for _, k := range resources.All() {
			if strings.Contains(kinds, k.Name()) {
				builtin = append(builtin, k)
			}
		}
		config := mustParse(t, strings.Replace(wrap(metrics), "    metrics:", "    metricNamePrefix: kube\n    metrics:", 1))
		got := ""
		if err := config.CheckNames(builtin, filter); err != nil {
			got = err.Error()
		}
		equalLines(t, strings.Split(got, "\n"), strings.Join(want, "\n"))
	}
	gauge := func(name string) string { return "{name: " + name + ", each: {type: Gauge, gauge: {path: [a]}}}" }
	clash := func(metric, name, family, kind string) string {
		return "spec.resources[0].metrics[" + metric + "].name (line 5): " + name + " clashes with " + family + " of the built-in kind " + kind +
			"; another name, or another metricNamePrefix, is expected"
	}
	none := resources.Selection{}
	f("pods jobs", none, gauge("widget_info"))
	f("pods jobs", none, gauge("pod_info"), clash("0", "kube_pod_info", "kube_pod_info", "pods"))
	f("pods jobs", none, gauge("a")+","+gauge("job_info")+","+gauge("pod_info"),
		clash("1", "kube_job_info", "kube_job_info", "jobs"), clash("2", "kube_pod_info", "kube_pod_info", "pods"))
	f("pods", none, "{name: pod_info, each: {type: Info, info: {labelsFromPath: {a: [b]}}}}", clash("0", "kube_pod_info", "kube_pod_info", "pods"))
	// Names of kinds and families that are not exported may be used.
	f("", none, gauge("pod_info"))
	f("jobs", none, gauge("pod_info"))
	f("pods", resources.Selection{Deny: []string{"^kube_pod_info$"}}, gauge("pod_info"))
	f("pods", none, gauge("pod_labels"))
	f("pods", none, gauge("pod_tolerations"), clash("0", "kube_pod_tolerations", "kube_pod_tolerations", "pods"))
	f("pods", none, gauge("pod_scheduler")+","+gauge("pod_nodeselectors"), clash("0", "kube_pod_scheduler", "kube_pod_scheduler", "pods"))
	f("pods", resources.Selection{OptIn: []string{"nodeselectors"}}, gauge("pod_nodeselectors"), clash("0", "kube_pod_nodeselectors", "kube_pod_nodeselectors", "pods"))
	// The names in OpenMetrics count, too.
	f("pods", none, gauge("pod_container_status_restarts"),
		clash("0", "kube_pod_container_status_restarts", "kube_pod_container_status_restarts_total", "pods"))
	f("limitranges", none, "{name: limitrange_info, each: {type: Info, info: {labelsFromPath: {a: [b]}}}}",
		clash("0", "kube_limitrange_info", "kube_limitrange", "limitranges"))
}

// The number of errors is limited so that the message stays readable.
func TestClashesAreBounded(t *testing.T) {
	metrics := strings.Repeat("{name: kube_pod_info, each: {type: Gauge, gauge: {path: [a]}}}, ", 50)
	config := mustParse(t, strings.Replace(wrap(metrics), "    metrics:", "    metricNamePrefix: ''\n    metrics:", 1))
	err := config.CheckNames(resources.All(), resources.Filter{})
	if err == nil || strings.Count(err.Error(), "\n") != maxFaults-1 {
		t.Errorf("got the error %v, want %d lines", err, maxFaults)
	}
}
