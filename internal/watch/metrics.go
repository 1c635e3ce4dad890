package watch

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the self-metrics of all Reflectors of a process. Names that begin with
// kube_state_metrics are those that existing alerts use.
//
// A server that shards saves each of N replicas N-1 times the bytes that it sends:
//
//	sum by (instance) (rate(statefleet_watch_received_bytes_total[5m]) * statefleet_watch_sharded_by_server)
//	* on (instance) (kube_state_metrics_total_shards - 1)
//
// A server that does not shard could save statefleet_watch_ignored_bytes_total.
type Metrics struct {
	list, watch, objects     *prometheus.CounterVec
	bytes, ignoredBytes, bad *prometheus.CounterVec
	sharded                  *prometheus.GaugeVec
	// Mismatches counts API servers that apply another shard selector than they were sent.
	Mismatches prometheus.Counter
}

// NewMetrics registers the metrics with r.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		r.MustRegister(v)
		return v
	}
	m := &Metrics{
		list:         counter("kube_state_metrics_list_total", "Number of list requests sent to the API server, by result.", "resource", "result"),
		watch:        counter("kube_state_metrics_watch_total", "Number of watch requests sent to the API server, by result.", "resource", "result"),
		objects:      counter("statefleet_watch_objects_total", "Number of objects and events read from the API server; ignored ones belong to other shards, or to namespaces that --namespaces-selector does not select; they are not decoded.", "resource", "shard"),
		bytes:        counter("statefleet_watch_received_bytes_total", "Bytes of lists and watches read from the API server, after transport decompression.", "resource"),
		ignoredBytes: counter("statefleet_watch_ignored_bytes_total", "Bytes of the ignored objects and events, as the API server encodes them.", "resource"),
		bad:          counter("statefleet_watch_decode_errors_total", "Number of objects and watch frames that could not be read.", "resource"),
		sharded: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "statefleet_watch_sharded_by_server",
			Help: "Whether the API server leaves out what belongs to other shards, 1 or 0. A list says so; one that is streamed, or of metadata only, is judged by the objects in it, so 1 can be chance where there are few, and an empty one tells nothing.",
		}, []string{"resource"}),
	}
	m.Mismatches = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "statefleet_server_sharding_mismatches_total",
		Help: "Number of times an API server applied another shard selector than it was sent; no selector is sent after that.",
	})
	r.MustRegister(m.sharded, m.Mismatches)
	return m
}

// counters are the metrics of one resource, looked up once.
type counters struct {
	listOK, listErr, watchOK, watchErr prometheus.Counter
	owned, ignored, ignoredBytes       prometheus.Counter
	bytes, bad                         prometheus.Counter

	// sharded sets the gauge. The gauge is absent before that, because 0 would mean that the server
	// does not shard.
	sharded func(honoured bool)
}

func (m *Metrics) counters(resource string) *counters {
	return &counters{
		listOK:       m.list.WithLabelValues(resource, "success"),
		listErr:      m.list.WithLabelValues(resource, "error"),
		watchOK:      m.watch.WithLabelValues(resource, "success"),
		watchErr:     m.watch.WithLabelValues(resource, "error"),
		owned:        m.objects.WithLabelValues(resource, "owned"),
		ignored:      m.objects.WithLabelValues(resource, "ignored"),
		ignoredBytes: m.ignoredBytes.WithLabelValues(resource),
		bytes:        m.bytes.WithLabelValues(resource),
		bad:          m.bad.WithLabelValues(resource),
		sharded: func(honoured bool) {
			value := 0.0
			if honoured {
				value = 1
			}
			m.sharded.WithLabelValues(resource).Set(value)
		},
	}
}

func (c *counters) listed(err error)  { count(err, c.listOK, c.listErr) }
func (c *counters) watched(err error) { count(err, c.watchOK, c.watchErr) }

// count counts a request, unless this process has ended it.
func count(err error, ok, failed prometheus.Counter) {
	switch {
	case err == nil:
		ok.Inc()
	case !errors.Is(err, context.Canceled):
		failed.Inc()
	}
}
