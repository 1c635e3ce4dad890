package replica

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/statefleet/statefleet/internal/watch"
)

// Metrics are the self-metrics of a process. The numbers of stores and Reflectors
// are those of the Replica that was shown last. They also carry what the process knows
// of the API server's sharding, for the Replicas that follow one another.
type Metrics struct {
	watch          *watch.Metrics
	sharding       *watch.ServerSharding
	collector      *collector
	objects        *prometheus.CounterVec
	skippedSamples *prometheus.CounterVec
	vanished       *prometheus.CounterVec
	failedFamilies *prometheus.CounterVec
	omitted        *prometheus.CounterVec
	skippedLabels  *prometheus.CounterVec
	checks         *prometheus.CounterVec
	differences    *prometheus.CounterVec
}

// NewMetrics registers the self-metrics with r.
func NewMetrics(r prometheus.Registerer) *Metrics {
	sources := watch.NewMetrics(r)
	m := &Metrics{
		watch:     sources,
		sharding:  watch.NewServerSharding(watch.ServerShardingOptions{Metrics: sources}),
		collector: newCollector(),
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
	m.failedFamilies = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "statefleet_family_failures_total",
		Help: "Number of times a metric family could not be rendered for an object, whose other families are there.",
	}, []string{"resource", "family"})
	m.omitted = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "statefleet_families_over_limit_total",
		Help: "Number of times a metric family was left out of an object because the text of the object would have exceeded --object-bytes-limit.",
	}, []string{"resource"})
	m.skippedLabels = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "statefleet_labels_skipped_total",
		Help: "Number of labels of custom resources that a star would have copied and that were left out because their names are not for objects to choose: those of commonLabels, job, instance, and names that begin with two underscores.",
	}, []string{"resource"})
	m.checks = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "statefleet_consistency_checks_total",
		Help: "Number of comparisons of the held objects of a resource with a list, by result: equal, repaired (listed again), restarted (listed again because the versions of the API server have gone back), hopeless (that was done before for the same), skipped (not synced, the shard changed, or answers that contradict one another) or failed.",
	}, []string{"resource", "result"})
	m.differences = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "statefleet_consistency_differences_total",
		Help: "Number of objects that a consistency check found missing or outdated (missing), or held although they are gone (surplus).",
	}, []string{"resource", "difference"})
	r.MustRegister(m.objects, m.skippedSamples, m.vanished, m.failedFamilies, m.omitted, m.skippedLabels, m.checks, m.differences, m.collector)
	return m
}

// Watch returns the self-metrics of Reflectors, for those that serve no kind.
func (m *Metrics) Watch() *watch.Metrics { return m.watch }

// Checks returns what counts the checks of a resource that is no kind.
func (m *Metrics) Checks(resource string) watch.CheckCounters {
	result := func(result string) prometheus.Counter { return m.checks.WithLabelValues(resource, result) }
	return watch.CheckCounters{
		Equal:     result(checkEqual),
		Repaired:  result(checkRepaired),
		Restarted: result(checkRestarted),
		Skipped:   result(checkSkipped),
		Failed:    result(checkFailed),
		Missing:   m.differences.WithLabelValues(resource, "missing"),
		Surplus:   m.differences.WithLabelValues(resource, "surplus"),
	}
}

// SetSource makes the numbers of stores and Reflectors those of r, and the phases those of
// the extra resources. It may be called at
// any time.
func (m *Metrics) SetSource(r *Replica, extra ...ExtraResource) {
	m.collector.source.Store(&source{r, extra})
}

// counters are the metrics of one kind, looked up once.
type counters struct {
	rendered, unchanged, failed, overLimit prometheus.Counter
	skippedSamples, vanished               prometheus.Counter
	familiesOmitted, skippedLabels         prometheus.Counter
	missing, surplus                       prometheus.Counter
	checks                                 func(result string) prometheus.Counter
	familyFailed                           func(family string)
}

func (m *Metrics) counters(resource string) *counters {
	outcome := func(o string) prometheus.Counter { return m.objects.WithLabelValues(resource, o) }
	return &counters{
		rendered:        outcome("rendered"),
		unchanged:       outcome("unchanged"),
		failed:          outcome("failed"),
		overLimit:       outcome("over_limit"),
		skippedSamples:  m.skippedSamples.WithLabelValues(resource),
		vanished:        m.vanished.WithLabelValues(resource),
		familiesOmitted: m.omitted.WithLabelValues(resource),
		skippedLabels:   m.skippedLabels.WithLabelValues(resource),
		missing:         m.differences.WithLabelValues(resource, "missing"),
		surplus:         m.differences.WithLabelValues(resource, "surplus"),
		checks:          func(result string) prometheus.Counter { return m.checks.WithLabelValues(resource, result) },
		familyFailed:    func(family string) { m.failedFamilies.WithLabelValues(resource, family).Inc() },
	}
}
