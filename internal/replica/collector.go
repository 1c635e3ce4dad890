package replica

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/store"
)

// collector collects the state of the stores and Reflectors.
type collector struct {
	collected atomic.Pointer[collected]

	kinds        []kindMetric
	limitReached *prometheus.Desc
	truncated    *prometheus.Desc
	overdue      *prometheus.Desc
	sharedSeries *prometheus.Desc
	series       *prometheus.Desc
	seriesLimit  *prometheus.Desc
	phase        *prometheus.Desc
	lastEvent    *prometheus.Desc
	ready        *prometheus.Desc
	heldShare    *prometheus.Desc
	servedShare  *prometheus.Desc
}

// collected is what the collector reads.
type collected struct {
	*Replica
	extra []ExtraResource
}

// ExtraResource is a resource that the process watches in addition to the kinds of a Replica.
type ExtraResource struct {
	// Resource is the plural, as self-metrics name it.
	Resource string
	// Status returns the status of the watch. It may be called concurrently.
	Status func() watch.Status
}

// kindMetric is a metric that each kind's store has.
type kindMetric struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	of     func(store.Stats) float64
	labels []string // values after the resource
}

func newCollector() *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	perKind := func(t prometheus.ValueType, name, help string, of func(store.Stats) float64) kindMetric {
		return kindMetric{desc: desc(name, help, "resource"), kind: t, of: of}
	}
	blocksDesc := desc("statefleet_store_blocks", "Number of blocks with text by state: raw, compressed, or both while a compressed block is kept as raw text, too.", "resource", "state")
	blocks := func(state string, of func(store.Stats) int) kindMetric {
		return kindMetric{blocksDesc, prometheus.GaugeValue, func(s store.Stats) float64 { return float64(of(s)) }, []string{state}}
	}
	gauge, counter := prometheus.GaugeValue, prometheus.CounterValue
	return &collector{
		kinds: []kindMetric{
			perKind(gauge, "statefleet_objects", "Number of objects served.", func(s store.Stats) float64 { return float64(s.Objects) }),
			perKind(gauge, "statefleet_objects_hidden", "Number of objects held and not served: for a change of shard, while another replica serves them, or because no list of their kind or namespace was complete yet.", func(s store.Stats) float64 { return float64(s.HiddenObjects) }),
			blocks("raw", func(s store.Stats) int { return s.Blocks - s.CompressedBlocks }),
			blocks("compressed", func(s store.Stats) int { return s.Blocks - s.RawBlocks }),
			blocks("both", func(s store.Stats) int { return s.RawBlocks + s.CompressedBlocks - s.Blocks }),
			perKind(gauge, "statefleet_store_text_bytes", "Bytes of exposition text served, uncompressed, without headers.", func(s store.Stats) float64 { return float64(s.TextBytes) }),
			perKind(gauge, "statefleet_store_raw_bytes", "Bytes of memory that raw blocks take; --store.raw-bytes limits the sum over all resources.", func(s store.Stats) float64 { return float64(s.RawBytes) }),
			perKind(gauge, "statefleet_store_compressed_bytes", "Bytes of memory that compressed blocks take.", func(s store.Stats) float64 { return float64(s.CompressedBytes) }),
			perKind(counter, "statefleet_store_compressions_total", "Number of times a block was compressed.", func(s store.Stats) float64 { return float64(s.Compressions) }),
			perKind(counter, "statefleet_store_decompressions_total", "Number of times a block was decompressed to be changed.", func(s store.Stats) float64 { return float64(s.Decompressions) }),
		},
		limitReached: desc("statefleet_limit_reached", "Whether a resource has reached --object-limit or --byte-limit now, 1 or 0: there is no room for another object, or for the smallest of those that were left out.", "resource"),
		truncated:    desc("statefleet_objects_truncated", "Number of objects held of which metric families are left out now because the text of the object would exceed --object-bytes-limit.", "resource"),
		overdue:      desc("statefleet_custom_resource_overdue", "Whether a custom resource has not been listed completely for --custom-resource.grace-period, so that readiness and changes of shard do not wait for it, 1 or 0.", "resource"),
		sharedSeries: desc("statefleet_duplicate_series", "Number of samples left out now because another object of the resource gives the same series; only for resources whose labels do not identify the object.", "resource"),
		series:       desc("statefleet_limited_series", "Number of samples held now of a custom resource metric that has a seriesLimit.", "resource", "family"),
		seriesLimit:  desc("statefleet_series_limit", "The seriesLimit of a custom resource metric, which holds for each replica.", "resource", "family"),
		phase:        desc("statefleet_resource_phase", "Whether a resource is in this phase, 1 or 0: pending, synced, forbidden or absent; namespaces that are followed one by one count together, the worst first.", "resource", "phase"),
		lastEvent:    desc("statefleet_watch_last_event_timestamp_seconds", "Time when the API server last sent something about a resource, in unix seconds; 0 if never.", "resource"),
		ready:        desc("statefleet_ready", "Whether everything that the shard must serve is held, 1 or 0."),
		heldShare:    desc("statefleet_shard_held_ratio", "Share of the hash ring that is held, from 0 to 1."),
		servedShare:  desc("statefleet_shard_served_ratio", "Share of the hash ring that is served, from 0 to 1; of all replicas together it is 1."),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, k := range c.kinds {
		ch <- k.desc
	}
	for _, d := range []*prometheus.Desc{c.limitReached, c.truncated, c.overdue, c.sharedSeries, c.series, c.seriesLimit, c.phase, c.lastEvent, c.ready, c.heldShare, c.servedShare} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	r := c.collected.Load()
	if r == nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, k := range r.current() {
		stats := k.stats(r.isHidden(k))
		for _, m := range c.kinds {
			ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.of(stats), append([]string{k.Name}, m.labels...)...)
		}
		gauge(c.limitReached, boolValue(k.limitReached(stats)), k.Name)
		gauge(c.truncated, float64(k.truncated.count(k.store.Contains)), k.Name)
		if k.Custom {
			gauge(c.overdue, boolValue(k.overdue()), k.Name)
		}
		if k.sharedSeries != nil {
			gauge(c.sharedSeries, float64(k.sharedSeries.count()), k.Name)
		}
		if k.seriesLimits != nil {
			for _, f := range k.seriesLimits.counts(k.store) {
				gauge(c.series, float64(f.total.kept), k.Name, f.name)
				gauge(c.seriesLimit, float64(f.limit), k.Name, f.name)
			}
		}
		c.collectStatus(gauge, k.Name, k.status())
	}
	for _, w := range r.extra {
		c.collectStatus(gauge, w.Resource, w.Status())
	}
	gauge(c.ready, boolValue(r.Ready() == nil))
	gauge(c.heldShare, r.held.Load().Fraction())
	gauge(c.servedShare, r.visible.Load().Fraction())
}

// collectStatus collects the phase and the last event of a resource.
func (c *collector) collectStatus(gauge func(*prometheus.Desc, float64, ...string), resource string, st watch.Status) {
	for _, p := range watch.Phases() {
		gauge(c.phase, boolValue(st.Phase == p), resource, string(p))
	}
	seconds := 0.0
	if !st.LastEvent.IsZero() {
		seconds = float64(st.LastEvent.UnixMilli()) / 1000
	}
	gauge(c.lastEvent, seconds, resource)
}

func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
