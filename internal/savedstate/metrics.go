package savedstate

import (
	"errors"
	"io/fs"

	"github.com/prometheus/client_golang/prometheus"
)

// result is the outcome of writing or reading a state. It is a label of the metrics.
type result string

const (
	written    result = "written"
	incomplete result = "incomplete" // there was no complete state to write
	tooLarge   result = "too_large"
	failed     result = "failed"
	loaded     result = "loaded"
	none       result = "none"
	mismatch   result = "mismatch"
	tooOld     result = "too_old"
	damaged    result = "damaged"
	format     result = "other_format"
	unreadable result = "unreadable"
	locked     result = "locked" // of writes and reads
)

// problem is an error with a result of its own.
type problem struct {
	result result
	text   string
}

func (p problem) Error() string { return p.text }

// resultOf returns the result of writing or reading; other is that of an error that is no problem.
func resultOf(err error, success, other result) result {
	var p problem
	switch {
	case err == nil:
		return success
	case errors.As(err, &p):
		return p.result
	}
	return other
}

// readResult returns the result of reading. A file may also fail while it is read.
func readResult(err error) result {
	var path *fs.PathError
	if errors.As(err, &path) || errors.Is(err, errors.ErrUnsupported) {
		return unreadable
	}
	return resultOf(err, loaded, damaged)
}

// Metrics are the self-metrics about saved states.
type Metrics struct {
	writes, reads *prometheus.CounterVec
	size, at      prometheus.Gauge
}

// NewMetrics registers the metrics with r.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statefleet_saved_state_writes_total",
			Help: "Number of times the state was to be saved in the directory of --store.snapshot-dir, by result: written, incomplete (the replica did not hold all that it must), too_large, locked (another process uses the directory) or failed.",
		}, []string{"result"}),
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statefleet_saved_state_reads_total",
			Help: "Number of times a saved state was to be used at the start, by result: loaded, none, mismatch (of another configuration, shard, build or cluster), too_old, damaged, other_format, unreadable or locked (another process uses the directory).",
		}, []string{"result"}),
		size: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "statefleet_saved_state_bytes",
			Help: "Size of the state that was saved last; 0 before the first.",
		}),
		at: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "statefleet_saved_state_timestamp_seconds",
			Help: "Time when the state was last saved, in unix seconds; 0 before the first.",
		}),
	}
	for _, result := range []result{written, incomplete, tooLarge, failed, locked} {
		m.writes.WithLabelValues(string(result))
	}
	for _, result := range []result{loaded, none, mismatch, tooOld, damaged, format, unreadable, locked} {
		m.reads.WithLabelValues(string(result))
	}
	r.MustRegister(m.writes, m.reads, m.size, m.at)
	return m
}

func (m *Metrics) wrote(r result, size int64) {
	m.writes.WithLabelValues(string(r)).Inc()
	if r == written {
		m.size.Set(float64(size))
		m.at.SetToCurrentTime()
	}
}

func (m *Metrics) read(r result) { m.reads.WithLabelValues(string(r)).Inc() }
