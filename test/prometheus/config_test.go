package prometheus

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/prometheus/discovery/kubernetes"
)

// TestShippedConfigurationIsPrometheusOwn: Prometheus refuses what it does not know, so this is a check of every field.
func TestShippedConfigurationIsPrometheusOwn(t *testing.T) {
	cfg, err := load(Options{Kubeconfig: "/some/kubeconfig", Interval: 7 * time.Second, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for _, scrape := range cfg.ScrapeConfigs {
		if time.Duration(scrape.ScrapeInterval) != 7*time.Second || !scrape.HonorLabels {
			t.Errorf("%s: interval %s, honor_labels %v", scrape.JobName, scrape.ScrapeInterval, scrape.HonorLabels)
		}
		pods := scrape.ServiceDiscoveryConfigs[0].(*kubernetes.SDConfig)
		if pods.KubeConfig != "/some/kubeconfig" || pods.Role != kubernetes.RolePod {
			t.Errorf("%s: %+v", scrape.JobName, pods)
		}
	}
	if len(cfg.ScrapeConfigs) != 2 {
		t.Errorf("%d scrape configurations, want one for each port", len(cfg.ScrapeConfigs))
	}
}
