package manifest_test

import (
	"log/slog"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/config"
	_ "github.com/prometheus/prometheus/discovery/kubernetes" // which the configuration uses
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// discovered returns the labels that Prometheus' pod discovery sets for one port of a replica.
func discovered(port string, change map[string]string) map[string]string {
	labels := map[string]string{
		"__address__":                                        "10.0.0.7:8080",
		"__meta_kubernetes_namespace":                        "statefleet",
		"__meta_kubernetes_pod_name":                         "statefleet-1",
		"__meta_kubernetes_pod_phase":                        "Running",
		"__meta_kubernetes_pod_container_port_name":          port,
		"__meta_kubernetes_pod_label_app_kubernetes_io_name": "statefleet",
		"instance": "10.0.0.7:8080",
		"job":      "statefleet",
	}
	maps.Copy(labels, change)
	return labels
}

// relabeled returns the labels of a target after relabeling, or nil if the rules drop it.
func relabeled(rules []*relabel.Config, discovered map[string]string) map[string]string {
	target := labels.NewBuilder(labels.FromMap(discovered))
	if !relabel.ProcessBuilder(target, rules...) {
		return nil
	}
	left := target.Labels().Map()
	maps.DeleteFunc(left, func(name, _ string) bool { return strings.HasPrefix(name, "__") })
	return left
}

func TestScrapeConfigKeepsTheInstanceStable(t *testing.T) {
	root, err := fleet.Root()
	if err != nil {
		t.Fatal(err)
	}
	file, err := config.LoadFile(filepath.Join(root, "manifests/prometheus/scrape-config.yaml"), false, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if len(file.ScrapeConfigs) != 2 {
		t.Fatalf("got %d scrape configs, want 2: one for each port", len(file.ScrapeConfigs))
	}
	ports := []string{"http-metrics", "telemetry"}
	extra := []map[string]string{{}, {"endpoint": "telemetry"}}
	for i, scrape := range file.ScrapeConfigs {
		if !scrape.HonorLabels {
			t.Errorf("%s: got honor_labels false, want true", scrape.JobName)
		}
		want := map[string]string{"instance": "statefleet-1", "job": "kube-state-metrics"}
		maps.Copy(want, extra[i])
		if got := relabeled(scrape.RelabelConfigs, discovered(ports[i], nil)); !maps.Equal(got, want) {
			t.Errorf("%s: got labels %v, want %v", scrape.JobName, got, want)
		}
		for _, other := range []map[string]string{
			{"__meta_kubernetes_pod_container_port_name": ports[1-i]},
			{"__meta_kubernetes_pod_label_app_kubernetes_io_name": "other"},
			{"__meta_kubernetes_pod_phase": "Pending"},
			{"__meta_kubernetes_pod_phase": "Succeeded"},
		} {
			if got := relabeled(scrape.RelabelConfigs, discovered(ports[i], other)); got != nil {
				t.Errorf("%s: target with %v: got labels %v, want a dropped target", scrape.JobName, other, got)
			}
		}
	}
}
