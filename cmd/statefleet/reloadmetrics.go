package main

import (
	"errors"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// result is how a reload of the configuration ended.
type result string

const (
	served     result = "served"
	unchanged  result = "unchanged"
	refused    result = "refused"
	superseded result = "superseded"
)

// reloadMetrics tell about the configuration's files, under our names and those of kube-state-metrics. All of a
// configuration's files count as one: they are served or refused together.
type reloadMetrics struct {
	successful, timestamp, underWay prometheus.Gauge
	reloads                         *prometheus.CounterVec

	hash, fileSuccessful, fileTimestamp *prometheus.GaugeVec // type, filename
}

// newReloadMetrics registers the metrics, which start with the files that the program started with. Without files they are
// not registered.
func newReloadMetrics(r prometheus.Registerer, files []file) (*reloadMetrics, error) {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	ofFile := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"type", "filename"})
	}
	m := &reloadMetrics{
		successful: gauge("statefleet_config_last_reload_successful", "Whether the configuration that was read last is served, 1, or was refused, 0."),
		timestamp:  gauge("statefleet_config_last_reload_success_timestamp_seconds", "Time when a configuration was last served or found unchanged, in unix seconds."),
		underWay:   gauge("statefleet_config_reload_pending", "Whether a new configuration is syncing and not served yet, 1 or 0."),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statefleet_config_reloads_total",
			Help: "Number of times the configuration was read again, by result: served, unchanged, refused, or superseded by a newer one before it was served.",
		}, []string{"result"}),
		hash:           ofFile("kube_state_metrics_config_hash", "Hash of the file as it is served."),
		fileSuccessful: ofFile("kube_state_metrics_last_config_reload_successful", "Whether the files that were read last are served, 1, or were refused, 0."),
		fileTimestamp:  ofFile("kube_state_metrics_last_config_reload_success_timestamp_seconds", "Time when the file was last served or found unchanged, in unix seconds."),
	}
	for _, result := range []result{served, unchanged, refused, superseded} {
		m.reloads.WithLabelValues(string(result))
	}
	m.show(files, true)
	if len(files) == 0 {
		return m, nil
	}
	var all []error
	for _, c := range []prometheus.Collector{m.successful, m.timestamp, m.underWay, m.reloads, m.hash, m.fileSuccessful, m.fileTimestamp} {
		all = append(all, r.Register(c))
	}
	return m, errors.Join(all...)
}

func (m *reloadMetrics) count(as result) { m.reloads.WithLabelValues(string(as)).Inc() }

// loaded shows files that are served now, or still. They are not the latest if what was read since was refused: a
// configuration that was under way then is served all the same, and the files would not start the program.
func (m *reloadMetrics) loaded(files []file, as result, latest bool) {
	m.show(files, latest)
	m.count(as)
}

func (m *reloadMetrics) show(files []file, latest bool) {
	m.successful.Set(truth(latest))
	m.timestamp.SetToCurrentTime()
	for _, v := range []*prometheus.GaugeVec{m.hash, m.fileSuccessful, m.fileTimestamp} {
		v.Reset()
	}
	for _, f := range files {
		const exact = 1<<53 - 1 // what a float64 can hold
		m.hash.WithLabelValues(f.kind, f.name).Set(float64(xxhash.Sum64(f.content) & exact))
		m.fileSuccessful.WithLabelValues(f.kind, f.name).Set(truth(latest))
		m.fileTimestamp.WithLabelValues(f.kind, f.name).SetToCurrentTime()
	}
}

// refused shows that files were read that cannot be served; files are those that are served still.
func (m *reloadMetrics) refused(files []file) {
	m.count(refused)
	m.successful.Set(0)
	for _, f := range files {
		m.fileSuccessful.WithLabelValues(f.kind, f.name).Set(0)
	}
}

func (m *reloadMetrics) pending(yes bool) {
	m.underWay.Set(0)
	if yes {
		m.underWay.Set(1)
	}
}
