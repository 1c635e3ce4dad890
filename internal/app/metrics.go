package app

import (
	"cmp"
	"errors"
	"strconv"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/statefleet/statefleet/internal/config"
	"github.com/statefleet/statefleet/shard/fleet"
)

// newRegistry returns a registry with the metrics of the Go runtime, the process and the build.
// Dashboards for kube-state-metrics show the build under its name.
func newRegistry() (*prometheus.Registry, error) {
	r := prometheus.NewRegistry()
	return r, errors.Join(
		r.Register(collectors.NewGoCollector()),
		r.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
		r.Register(versioncollector.NewCollector(config.Name)),
		r.Register(versioncollector.NewCollector("kube_state_metrics")),
	)
}

// fleetMetrics are metrics about the shard, with the names that alerts of kube-state-metrics about
// missing and mismatched shards use, and about the fleet. They have no samples before the first
// shard is known.
type fleetMetrics struct {
	status      func() fleet.Status
	coordinated bool // the assignment is not static
	standby     bool
}

// Describe implements [prometheus.Collector]. It describes nothing: which metrics there are follows
// from the configuration.
func (fleetMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (m fleetMetrics) Collect(ch chan<- prometheus.Metric) {
	s := m.status()
	send := func(t prometheus.ValueType, name string, v float64, help string, label ...string) {
		d := prometheus.NewDesc(name, help, label[:len(label)/2], nil)
		ch <- prometheus.MustNewConstMetric(d, t, v, label[len(label)/2:]...)
	}
	gauge := func(name string, v float64, help string, label ...string) {
		send(prometheus.GaugeValue, name, v, help, label...)
	}
	if s.Active > 0 {
		gauge("kube_state_metrics_shard_ordinal", float64(s.Ordinal), "The shard of this replica, counted from 0.",
			"shard_ordinal", strconv.Itoa(s.Ordinal))
		gauge("kube_state_metrics_total_shards", float64(s.Active),
			"Number of shards in the fleet, as this replica knows it.")
	}
	if !m.coordinated {
		return
	}
	gauge("statefleet_topology_generation", float64(s.Generation),
		"Generation of the fleet's topology; each decision increments it. 0 before the first.")
	gauge("statefleet_topology_active_shards", float64(s.Active), "Number of shards by which the fleet serves.")
	gauge("statefleet_topology_target_shards", float64(cmp.Or(s.Target, s.Active)),
		"Number of shards that the fleet changes to; outside of a transition, that of the active ones.")
	gauge("statefleet_topology_desired_shards", float64(s.Desired),
		"Number of shards that the StatefulSet specifies, as this replica last read it. 0 while unknown.")
	gauge("statefleet_transition_in_progress", boolToFloat(s.Target != 0),
		"Whether the fleet prepares a change of its number of shards, 1 or 0.")
	started := 0.0
	if !s.StartedAt.IsZero() {
		started = float64(s.StartedAt.UnixMilli()) / 1000
	}
	gauge("statefleet_transition_started_timestamp_seconds", started,
		"Time when the transition in progress began, in unix seconds; 0 outside of one.")
	for result, n := range map[string]int{
		"completed": s.Transitions.Completed, "cancelled": s.Transitions.Cancelled, "replaced": s.Transitions.Replaced,
	} {
		send(prometheus.CounterValue, "statefleet_transitions_total", float64(n), "Number of changes of the number of "+
			"shards that this replica has seen end: completed, cancelled (the StatefulSet went back) or replaced (by "+
			"another target).", "result", result)
	}
	send(prometheus.CounterValue, "statefleet_topology_rejected_total", float64(s.Rejected),
		"Number of topologies that this replica did not follow because neither the StatefulSet nor reports of "+
			"replicas confirm the number of shards.")
	if s.Active > 0 {
		for state, is := range map[string]bool{"coordinated": s.Coordinated, "alone": !s.Coordinated} {
			gauge("statefleet_coordination", boolToFloat(is), "Whether this replica changes its shard together with "+
				"the fleet (coordinated) or as soon as it can (alone), 1 or 0.", "state", state)
		}
	}
	if m.standby {
		gauge("statefleet_standby_holding_neighbour", boolToFloat(s.Standby), "Whether this replica also holds the shard of its "+
			"neighbour, the previous replica, 1 or 0; 0 while the fleet's pods cannot be read.")
		gauge("statefleet_standby_serving_neighbour", boolToFloat(s.ServesNeighbour),
			"Whether this replica serves the shard of its neighbour, whose pod is not ready, 1 or 0.")
		gauge("statefleet_standby_served_by_next", boolToFloat(s.ServedByStandby),
			"Whether the next replica serves the shard of this one, whose pod is not ready, 1 or 0.")
	}
}

func boolToFloat(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// result is how a reload of the configuration ended.
type result string

const (
	served     result = "served"
	unchanged  result = "unchanged"
	refused    result = "refused"
	superseded result = "superseded"
)

// reloadMetrics are metrics about the configuration's files, under our names and those of
// kube-state-metrics. All files of a configuration are served or refused together.
type reloadMetrics struct {
	successful, timestamp, pending prometheus.Gauge
	reloads                        *prometheus.CounterVec

	hash, fileSuccessful, fileTimestamp *prometheus.GaugeVec // type, filename
}

// newReloadMetrics registers the metrics, unless there are no files. They begin with the files that
// the program read at its start.
func newReloadMetrics(r prometheus.Registerer, files []config.File) *reloadMetrics {
	if len(files) == 0 {
		r = nil
	}
	factory := promauto.With(r)
	counter := factory.NewCounterVec(prometheus.CounterOpts{
		Name: "statefleet_config_reloads_total",
		Help: "Number of reloads of the configuration, by result: served, unchanged, refused, or superseded by a " +
			"newer one before it was served.",
	}, []string{"result"})
	gauge := func(name, help string) prometheus.Gauge {
		return factory.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	ofFile := func(name, help string) *prometheus.GaugeVec {
		return factory.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"type", "filename"})
	}
	m := &reloadMetrics{
		reloads: counter,
		successful: gauge("statefleet_config_last_reload_successful",
			"Whether the configuration that was read last is served, 1, or was refused, 0."),
		timestamp: gauge("statefleet_config_last_reload_success_timestamp_seconds",
			"Time when a configuration was last served or found unchanged, in unix seconds."),
		pending: gauge("statefleet_config_reload_pending",
			"Whether a new configuration is syncing and not served yet, 1 or 0."),
		hash: ofFile("kube_state_metrics_config_hash", "Hash of the file as it is served."),
		fileSuccessful: ofFile("kube_state_metrics_last_config_reload_successful",
			"Whether the files that were read last are served, 1, or were refused, 0."),
		fileTimestamp: ofFile("kube_state_metrics_last_config_reload_success_timestamp_seconds",
			"Time when the file was last served or found unchanged, in unix seconds."),
	}
	for _, r := range []result{served, unchanged, refused, superseded} {
		m.reloads.WithLabelValues(string(r))
	}
	m.show(files, true)
	return m
}

func (m *reloadMetrics) count(r result) { m.reloads.WithLabelValues(string(r)).Inc() }

// show sets the metrics to files that are served. latest is false if files that were read later
// have been refused.
func (m *reloadMetrics) show(files []config.File, latest bool) {
	m.successful.Set(boolToFloat(latest))
	m.timestamp.SetToCurrentTime()
	for _, v := range []*prometheus.GaugeVec{m.hash, m.fileSuccessful, m.fileTimestamp} {
		v.Reset()
	}
	for _, f := range files {
		const exact = 1<<53 - 1 // what a float64 can hold
		m.hash.WithLabelValues(f.Type, f.Name).Set(float64(xxhash.Sum64(f.Content) & exact))
		m.fileSuccessful.WithLabelValues(f.Type, f.Name).Set(boolToFloat(latest))
		m.fileTimestamp.WithLabelValues(f.Type, f.Name).SetToCurrentTime()
	}
}

// refuse shows that a configuration was refused while these files are served.
func (m *reloadMetrics) refuse(files []config.File) {
	m.count(refused)
	m.successful.Set(0)
	for _, f := range files {
		m.fileSuccessful.WithLabelValues(f.Type, f.Name).Set(0)
	}
}
