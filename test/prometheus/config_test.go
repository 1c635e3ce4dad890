package prometheus

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/kubernetes"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// TestShippedConfigurationIsValid checks every field, because Prometheus rejects unknown ones. Without a kubeconfig,
// only Follow sets the targets, which would otherwise be scraped twice.
func TestShippedConfigurationIsValid(t *testing.T) {
	o := Options{Kubeconfig: "/some/kubeconfig", Interval: 7 * time.Second, Log: slog.New(slog.DiscardHandler)}
	cfg, err := load(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, scrape := range cfg.ScrapeConfigs {
		if time.Duration(scrape.ScrapeInterval) != 7*time.Second || !scrape.HonorLabels {
			t.Errorf("%s: got interval %s, honor_labels %v; want 7s, true",
				scrape.JobName, scrape.ScrapeInterval, scrape.HonorLabels)
		}
		pods := scrape.ServiceDiscoveryConfigs[0].(*kubernetes.SDConfig)
		if pods.KubeConfig != "/some/kubeconfig" || pods.Role != kubernetes.RolePod {
			t.Errorf("%s: got discovery %+v, want role pod with the kubeconfig of the options", scrape.JobName, pods)
		}
	}
	if len(cfg.ScrapeConfigs) != 2 {
		t.Errorf("got %d scrape configurations, want 2: one for each port", len(cfg.ScrapeConfigs))
	}
	o.Kubeconfig = ""
	if cfg, err = load(o); err != nil {
		t.Fatal(err)
	}
	for _, scrape := range cfg.ScrapeConfigs {
		if len(scrape.ServiceDiscoveryConfigs) > 0 {
			t.Errorf("%s discovers pods without a kubeconfig, want no targets", scrape.JobName)
		}
	}
}

// TestConfigurationForKindIsValid puts the files into one folder, as "make kind" does.
func TestConfigurationForKindIsValid(t *testing.T) {
	root, err := fleet.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, path := range []string{"manifests/examples/kind/prometheus.yml", shipped, shippedRules} {
		if err := os.Symlink(filepath.Join(root, path), filepath.Join(dir, filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.LoadFile(filepath.Join(dir, "prometheus.yml"), false, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := cfg.GetScrapeConfigs()
	if err != nil || len(jobs) != 2 {
		t.Errorf("got %d scrape configurations, error %v; want 2", len(jobs), err)
	}
	if len(cfg.RuleFiles) != 1 {
		t.Fatalf("got rule files %q, want 1", cfg.RuleFiles)
	}
	if _, err := os.Stat(cfg.RuleFiles[0]); err != nil {
		t.Error(err)
	}
}
