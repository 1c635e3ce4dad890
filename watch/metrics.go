package watch

import (
	"io"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the self-metrics of all Sources of a process. The names that
// begin with kube_state_metrics are those that existing alerts know.
type Metrics struct {
	list, watch, objects *prometheus.CounterVec
	bytes, bad           *prometheus.CounterVec
	serverSharded        *prometheus.GaugeVec
}

// NewMetrics registers the metrics with r.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		r.MustRegister(v)
		return v
	}
	m := &Metrics{
		list:    counter("kube_state_metrics_list_total", "Number of list requests sent to the API server, by result.", "resource", "result"),
		watch:   counter("kube_state_metrics_watch_total", "Number of watch requests sent to the API server, by result.", "resource", "result"),
		objects: counter("statefleet_watch_objects_total", "Number of objects and events read from the API server; ignored ones belong to other shards and are not decoded.", "resource", "shard"),
		bytes:   counter("statefleet_watch_received_bytes_total", "Bytes of lists and watches read from the API server, after transport decompression.", "resource"),
		bad:     counter("statefleet_watch_unreadable_total", "Number of objects and watch frames that could not be read.", "resource"),
		serverSharded: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "statefleet_watch_list_sharded",
			Help: "Whether the API server filtered the last list by the shard selector, 1 or 0; absent while lists are streamed, which do not say it.",
		}, []string{"resource"}),
	}
	r.MustRegister(m.serverSharded)
	return m
}

// counters are the metrics of one resource, looked up once.
type counters struct {
	listOK, listErr, watchOK, watchErr prometheus.Counter
	owned, ignored, bytes, bad         prometheus.Counter

	// serverSharded is made by the first list: a streamed list does not say
	// whether it was filtered, and 0 would be taken for "it was not".
	serverSharded func() prometheus.Gauge
}

func (m *Metrics) counters(resource string) *counters {
	return &counters{
		listOK:        m.list.WithLabelValues(resource, "success"),
		listErr:       m.list.WithLabelValues(resource, "error"),
		watchOK:       m.watch.WithLabelValues(resource, "success"),
		watchErr:      m.watch.WithLabelValues(resource, "error"),
		owned:         m.objects.WithLabelValues(resource, "owned"),
		ignored:       m.objects.WithLabelValues(resource, "ignored"),
		bytes:         m.bytes.WithLabelValues(resource),
		bad:           m.bad.WithLabelValues(resource),
		serverSharded: func() prometheus.Gauge { return m.serverSharded.WithLabelValues(resource) },
	}
}

func (c *counters) listed(err error)  { pick(err, c.listOK, c.listErr).Inc() }
func (c *counters) watched(err error) { pick(err, c.watchOK, c.watchErr).Inc() }

func pick(err error, ok, failed prometheus.Counter) prometheus.Counter {
	if err != nil {
		return failed
	}
	return ok
}

func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// countingReader counts the bytes that pass.
type countingReader struct {
	io.Reader
	bytes prometheus.Counter
}

func (r countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.bytes.Add(float64(n))
	return n, err
}
