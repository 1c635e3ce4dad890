package main

import (
	"errors"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versions "github.com/prometheus/client_golang/prometheus/collectors/version"

	"github.com/statefleet/statefleet/shard"
)

// newRegistry returns a registry with the metrics of the Go runtime, the process and the build. The build is there under
// kube-state-metrics' name too, for the dashboards that show it.
func newRegistry() (*prometheus.Registry, error) {
	r := prometheus.NewRegistry()
	return r, errors.Join(
		r.Register(collectors.NewGoCollector()),
		r.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
		r.Register(versions.NewCollector("statefleet")),
		r.Register(versions.NewCollector("kube_state_metrics")),
	)
}

// shardMetrics show the current assignment, as kube-state-metrics' alerts about missing and mismatched shards expect it. They
// have no samples before the first assignment.
type shardMetrics struct {
	ordinal, total *prometheus.GaugeVec
	last           string // label of the sample of ordinal
}

func newShardMetrics(r prometheus.Registerer) (*shardMetrics, error) {
	m := &shardMetrics{
		ordinal: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "kube_state_metrics_shard_ordinal",
			Help: "The shard of this replica, counted from 0.",
		}, []string{"shard_ordinal"}),
		total: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "kube_state_metrics_total_shards",
			Help: "Number of shards in the fleet, as this replica knows it.",
		}, nil),
	}
	return m, errors.Join(r.Register(m.ordinal), r.Register(m.total))
}

// set shows a. It is called by one goroutine at a time.
func (m *shardMetrics) set(a shard.Assignment) {
	label := strconv.Itoa(a.Ordinal)
	m.ordinal.WithLabelValues(label).Set(float64(a.Ordinal))
	if m.last != label {
		m.ordinal.DeleteLabelValues(m.last)
		m.last = label
	}
	m.total.WithLabelValues().Set(float64(a.Total))
}
