package app

import (
	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/statefleet/statefleet/internal/config"
)

// result is how a reload of the configuration ended.
type result string

const (
	served     result = "served"
	unchanged  result = "unchanged"
	refused    result = "refused"
	superseded result = "superseded"
)

// reloadMetrics are metrics about the configuration's files, under our names and those of kube-state-metrics. All files of a
// configuration are served or refused together.
type reloadMetrics struct {
	successful, timestamp, pending prometheus.Gauge
	reloads                        *prometheus.CounterVec

	hash, fileSuccessful, fileTimestamp *prometheus.GaugeVec // type, filename
}

// newReloadMetrics registers the metrics, unless there are no files. They start with the files that the program started with.
func newReloadMetrics(r prometheus.Registerer, files []config.File) *reloadMetrics {
	if len(files) == 0 {
		r = nil
	}
	factory := promauto.With(r)
	gauge := func(name, help string) prometheus.Gauge {
		return factory.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	ofFile := func(name, help string) *prometheus.GaugeVec {
		return factory.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"type", "filename"})
	}
	m := &reloadMetrics{
		successful: gauge("statefleet_config_last_reload_successful", "Whether the configuration that was read last is served, 1, or was refused, 0."),
		timestamp:  gauge("statefleet_config_last_reload_success_timestamp_seconds", "Time when a configuration was last served or found unchanged, in unix seconds."),
		pending:    gauge("statefleet_config_reload_pending", "Whether a new configuration is syncing and not served yet, 1 or 0."),
		reloads: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "statefleet_config_reloads_total",
			Help: "Number of reloads of the configuration, by result: served, unchanged, refused, or superseded by a newer one before it was served.",
		}, []string{"result"}),
		hash:           ofFile("kube_state_metrics_config_hash", "Hash of the file as it is served."),
		fileSuccessful: ofFile("kube_state_metrics_last_config_reload_successful", "Whether the files that were read last are served, 1, or were refused, 0."),
		fileTimestamp:  ofFile("kube_state_metrics_last_config_reload_success_timestamp_seconds", "Time when the file was last served or found unchanged, in unix seconds."),
	}
	for _, r := range []result{served, unchanged, refused, superseded} {
		m.reloads.WithLabelValues(string(r))
	}
	m.show(files, true)
	return m
}

func (m *reloadMetrics) count(r result) { m.reloads.WithLabelValues(string(r)).Inc() }

// show sets the metrics to files that are served. latest is false if files that were read later have been refused.
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
