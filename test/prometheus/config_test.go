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

// TestShippedConfigurationIsValid checks every field, because Prometheus rejects unknown ones.
func TestShippedConfigurationIsValid(t *testing.T) {
	cfg, err := load(Options{Kubeconfig: "/some/kubeconfig", Interval: 7 * time.Second, Log: slog.New(slog.DiscardHandler)})
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

// TestFollowingNeedsAConfigurationWithoutDiscovery checks that either Follow or discovery sets the targets. With both,
// a target would be scraped twice.
func TestFollowingNeedsAConfigurationWithoutDiscovery(t *testing.T) {
	for _, kubeconfig := range []string{"", "/some/kubeconfig"} {
		cfg, err := load(Options{Kubeconfig: kubeconfig, Interval: time.Second, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		for _, scrape := range cfg.ScrapeConfigs {
			if discovers := len(scrape.ServiceDiscoveryConfigs) > 0; discovers != (kubeconfig != "") {
				t.Errorf("kubeconfig %q: %s discovers pods: got %t, want %t", kubeconfig, scrape.JobName, discovers, !discovers)
			}
		}
	}
}
