package replica

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/watch/sharding"
	"github.com/statefleet/statefleet/internal/watch/verify"
)

// Metrics are the self-metrics of a process. Those of stores and Reflectors come from the Replica
// of the last SetSource. Metrics also keep the knowledge of the process about the API server's
// sharding, so that a Replica has the findings of an earlier one.
type Metrics struct {
	watch          *watch.Metrics
	sharding       *sharding.Server
	collector      *collector
	verify         *verify.Metrics
	updates        *prometheus.CounterVec
	skippedSamples *prometheus.CounterVec
	pruned         *prometheus.CounterVec
	failedFamilies *prometheus.CounterVec
	omitted        *prometheus.CounterVec
	skippedLabels  *prometheus.CounterVec
	overLimit      *prometheus.CounterVec
}

// NewMetrics registers the self-metrics with r.
func NewMetrics(r prometheus.Registerer) *Metrics {
	factory := promauto.With(r)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return factory.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"resource"}, labels...))
	}
	watchMetrics := watch.NewMetrics(r)
	m := &Metrics{
		watch:          watchMetrics,
		sharding:       sharding.New(watchMetrics.Mismatches),
		collector:      newCollector(),
		verify:         verify.NewMetrics(r),
		updates:        counter("statefleet_updates_total", "Number of versions of owned objects received, by result: changed or unchanged (stored; whether the text differs from that of the version before), stale (not newer than the stored version), deleted (not newer than the deletion of the object), superseded (not newer than another object with the same name), over_limit (left out because a limit is reached) or failed (left out because it cannot be rendered).", "result"),
		skippedSamples: counter("statefleet_samples_skipped_total", "Number of samples left out because an object named a series twice or an entry without its source."),
		pruned:         counter("statefleet_objects_pruned_total", "Number of objects removed because a complete list no longer had them: their deletion was missed, or the shard changed."),
		failedFamilies: counter("statefleet_family_failures_total", "Number of times a metric family could not be rendered for an object, whose other families are there.", "family"),
		omitted:        counter("statefleet_families_over_limit_total", "Number of times a metric family was left out of an object because the text of the object would have exceeded --object-bytes-limit."),
		skippedLabels:  counter("statefleet_labels_skipped_total", "Number of labels of custom resources that a star would have copied and that were left out because their names are not for objects to choose: those of commonLabels, job, instance, and names that begin with two underscores."),
		overLimit:      counter("statefleet_series_over_limit_total", "Number of samples left out because the seriesLimit of their custom resource metric was reached, counted for each version of an object.", "family"),
	}
	r.MustRegister(m.collector)
	return m
}

// Watch returns the self-metrics of Reflectors, for Reflectors outside of a Replica.
func (m *Metrics) Watch() *watch.Metrics { return m.watch }

// Verify returns the self-metrics for the Verifier of the Options.
func (m *Metrics) Verify() *verify.Metrics { return m.verify }

// SetSource makes the metrics of stores and Reflectors those of r, and adds the phases of the extra
// resources. It may be called at any time.
func (m *Metrics) SetSource(r *Replica, extra ...ExtraResource) {
	m.collector.collected.Store(&collected{r, extra})
}

// counters are the metrics of one kind. They are looked up once.
type counters struct {
	updates                        map[outcome]prometheus.Counter
	skippedSamples, pruned         prometheus.Counter
	familiesOmitted, skippedLabels prometheus.Counter
	failedFamilies, overLimit      *prometheus.CounterVec // by family
}

func (m *Metrics) counters(resource string) *counters {
	updates := map[outcome]prometheus.Counter{}
	for _, o := range outcomes {
		updates[o] = m.updates.WithLabelValues(resource, string(o))
	}
	ofKind := prometheus.Labels{"resource": resource}
	return &counters{
		updates:         updates,
		skippedSamples:  m.skippedSamples.WithLabelValues(resource),
		pruned:          m.pruned.WithLabelValues(resource),
		familiesOmitted: m.omitted.WithLabelValues(resource),
		skippedLabels:   m.skippedLabels.WithLabelValues(resource),
		failedFamilies:  m.failedFamilies.MustCurryWith(ofKind),
		overLimit:       m.overLimit.MustCurryWith(ofKind),
	}
}
