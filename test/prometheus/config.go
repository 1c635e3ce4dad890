package prometheus

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	promconfig "github.com/prometheus/common/config"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery/kubernetes"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// Paths of the scrape configuration and the rules that this repository ships.
const (
	shipped      = "manifests/prometheus/scrape-config.yaml"
	shippedRules = "manifests/mixin/rules.yaml"
)

// load reads the shipped configuration. It changes only how Prometheus reaches the API server and the targets, and the
// intervals.
func load(o Options) (*config.Config, error) {
	root, err := fleet.Root()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, shipped))
	if err != nil {
		return nil, err
	}
	cfg, err := config.Load(global(o.Interval)+string(text), o.Log)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shipped, err)
	}
	var proxy *url.URL
	if o.Proxy != "" {
		if proxy, err = url.Parse(o.Proxy); err != nil {
			return nil, err
		}
	}
	for _, scrape := range cfg.ScrapeConfigs {
		scrape.HTTPClientConfig.ProxyURL = promconfig.URL{URL: proxy}
		for _, sd := range scrape.ServiceDiscoveryConfigs {
			pods, ok := sd.(*kubernetes.SDConfig)
			if !ok {
				return nil, fmt.Errorf("%s: job %s: discovery must be kubernetes, got %s", shipped, scrape.JobName, sd.Name())
			}
			pods.KubeConfig = o.Kubeconfig
		}
		if o.Kubeconfig == "" {
			scrape.ServiceDiscoveryConfigs = nil // see Follow
		}
	}
	return cfg, nil
}

func global(interval time.Duration) string {
	return fmt.Sprintf("global: {scrape_interval: %[1]s, scrape_timeout: %[1]s, evaluation_interval: %[1]s}\n", interval)
}
