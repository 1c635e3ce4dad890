package replica

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what happens to the objects that are owned.
type metrics struct {
	objects        *prometheus.CounterVec
	skippedSamples *prometheus.CounterVec
	vanished       *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		objects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statefleet_objects_processed_total",
			Help: "Number of owned objects read, by what was done: rendered, unchanged (held already, not decoded), failed (could not be decoded, left out) or over_limit (left out because of the object limit).",
		}, []string{"resource", "outcome"}),
		skippedSamples: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statefleet_samples_skipped_total",
			Help: "Number of samples left out because an object named a series twice or an entry without its source.",
		}, []string{"resource"}),
		vanished: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statefleet_objects_vanished_total",
			Help: "Number of objects removed because a complete list no longer had them; their deletion was missed or belonged to a change of shard.",
		}, []string{"resource"}),
	}
	r.MustRegister(m.objects, m.skippedSamples, m.vanished)
	return m
}

// counters are the metrics of one kind, looked up once.
type counters struct {
	rendered, unchanged, failed, overLimit prometheus.Counter
	skippedSamples, vanished               prometheus.Counter
}

func (m *metrics) counters(resource string) *counters {
	outcome := func(o string) prometheus.Counter { return m.objects.WithLabelValues(resource, o) }
	return &counters{
		rendered:       outcome("rendered"),
		unchanged:      outcome("unchanged"),
		failed:         outcome("failed"),
		overLimit:      outcome("over_limit"),
		skippedSamples: m.skippedSamples.WithLabelValues(resource),
		vanished:       m.vanished.WithLabelValues(resource),
	}
}
