package scrapes

import (
	"context"

	client "github.com/prometheus/client_golang/prometheus"

	"github.com/statefleet/statefleet/test/prometheus"
)

// job is the scrape job, in the shipped configuration, for the state of the cluster.
const job = "statefleet"

// Names of the metrics about the last scrape of each target. Prometheus itself shows these values only in its UI.
const (
	lastScrape   = "scrape_last_timestamp_seconds"
	lastDuration = "scrape_last_duration_seconds"
	lastSuccess  = "scrape_last_success"
	target       = "target"

	storedTargets = "scrape_stored_targets"
	storedSamples = "scrape_stored_samples"
)

// collector exports metrics about the scrapes of a Prometheus.
type collector struct {
	server           *prometheus.Server
	at, took, ok     *client.Desc
	targets, samples *client.Desc
}

// NewCollector returns a collector of the last scrape of each target of job, and of the samples that are stored. It is
// safe for concurrent use.
func NewCollector(server *prometheus.Server) client.Collector {
	desc := func(name, help string) *client.Desc { return client.NewDesc(name, help, []string{target}, nil) }
	return &collector{
		server:  server,
		at:      desc(lastScrape, "When the last scrape of the target began, in unix seconds."),
		took:    desc(lastDuration, "How long the last scrape of the target took, in seconds."),
		ok:      desc(lastSuccess, "Whether the last scrape of the target succeeded, 1 or 0."),
		targets: client.NewDesc(storedTargets, "Number of targets with a scrape whose samples are stored.", nil, nil),
		samples: client.NewDesc(storedSamples, "Sum of the samples of the last stored scrape of each target.", nil, nil),
	}
}

// Describe implements [client.Collector].
func (c *collector) Describe(all chan<- *client.Desc) {
	for _, desc := range []*client.Desc{c.at, c.took, c.ok, c.targets, c.samples} {
		all <- desc
	}
}

// Collect implements [client.Collector].
func (c *collector) Collect(all chan<- client.Metric) {
	targets, samples, err := c.server.Stored(context.Background())
	if err != nil {
		all <- client.NewInvalidMetric(c.targets, err)
		return
	}
	all <- client.MustNewConstMetric(c.targets, client.GaugeValue, targets)
	all <- client.MustNewConstMetric(c.samples, client.GaugeValue, samples)
	for _, s := range c.server.Scrapes(job) {
		if s.At.IsZero() {
			continue
		}
		ok := 1.0
		if s.Err != nil {
			ok = 0
		}
		for desc, value := range map[*client.Desc]float64{
			c.at: float64(s.At.UnixMilli()) / 1e3, c.took: s.Took.Seconds(), c.ok: ok,
		} {
			all <- client.MustNewConstMetric(desc, client.GaugeValue, value, s.Target)
		}
	}
}
