package verify

import "github.com/prometheus/client_golang/prometheus"

// result is the outcome of a comparison. It is a label of statefleet_consistency_checks_total.
type result string

const (
	equal         result = "equal"
	repaired      result = "repaired"       // the resource is listed again
	versionsReset result = "versions_reset" // the same, since its versions have gone back
	unrepairable  result = "unrepairable"   // the resource was listed again for these differences before
	skipped       result = "skipped"        // not ready, or the answers contradict one another
	failed        result = "failed"         // the list was not complete
)

// Metrics count comparisons. Verifiers share one. Make one with NewMetrics.
type Metrics struct{ results, differences *prometheus.CounterVec }

// NewMetrics registers the self-metrics with r.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statefleet_consistency_checks_total",
			Help: "Number of comparisons of the stored objects of a resource with a list, by result: equal, repaired (listed again), versions_reset (listed again because the versions of the API server have gone back), unrepairable (the same differences as the time before), skipped (not synced, the shard changed, or answers that contradict one another) or failed.",
		}, []string{"resource", "result"}),
		differences: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statefleet_consistency_differences_total",
			Help: "Number of objects that a consistency check found missing or outdated (missing), or stored although they no longer exist (extra).",
		}, []string{"resource", "difference"}),
	}
	r.MustRegister(m.results, m.differences)
	return m
}

// counters are the metrics of one resource.
type counters struct {
	checks         func(result)
	missing, extra prometheus.Counter
}

func (m *Metrics) counters(resource string) counters {
	for _, r := range []result{equal, repaired, versionsReset, unrepairable, skipped, failed} {
		m.results.WithLabelValues(resource, string(r)) // so that rates begin at 0
	}
	return counters{
		checks:  func(r result) { m.results.WithLabelValues(resource, string(r)).Inc() },
		missing: m.differences.WithLabelValues(resource, "missing"),
		extra:   m.differences.WithLabelValues(resource, "extra"),
	}
}
