package app

import (
	"cmp"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/statefleet/statefleet/shard/fleet"
)

// fleetMetrics are metrics about the shard, with the names that alerts of kube-state-metrics about missing and mismatched shards
// use, and about the fleet. They have no samples before the first shard is known.
type fleetMetrics struct {
	status      func() fleet.Status
	coordinated bool // the assignment is not static
	standby     bool
}

// Describe implements [prometheus.Collector]. It describes nothing: which metrics there are follows from the configuration.
func (fleetMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (m fleetMetrics) Collect(ch chan<- prometheus.Metric) {
	s := m.status()
	send := func(t prometheus.ValueType, name, help string, v float64, label ...string) {
		d := prometheus.NewDesc(name, help, label[:len(label)/2], nil)
		ch <- prometheus.MustNewConstMetric(d, t, v, label[len(label)/2:]...)
	}
	gauge := func(name, help string, v float64, label ...string) {
		send(prometheus.GaugeValue, name, help, v, label...)
	}
	counter := func(name, help string, n int, label ...string) {
		send(prometheus.CounterValue, name, help, float64(n), label...)
	}
	if s.Active > 0 {
		gauge("kube_state_metrics_shard_ordinal", "The shard of this replica, counted from 0.", float64(s.Ordinal), "shard_ordinal", strconv.Itoa(s.Ordinal))
		gauge("kube_state_metrics_total_shards", "Number of shards in the fleet, as this replica knows it.", float64(s.Active))
	}
	if !m.coordinated {
		return
	}
	gauge("statefleet_topology_generation", "Generation of the fleet's topology; each decision increments it. 0 before the first.", float64(s.Generation))
	gauge("statefleet_topology_active_shards", "Number of shards by which the fleet serves.", float64(s.Active))
	gauge("statefleet_topology_target_shards", "Number of shards that the fleet changes to; outside of a transition, that of the active ones.",
		float64(cmp.Or(s.Target, s.Active)))
	gauge("statefleet_topology_desired_shards", "Number of shards that the StatefulSet specifies, as this replica last read it. 0 while unknown.",
		float64(s.Desired))
	gauge("statefleet_transition_in_progress", "Whether the fleet prepares a change of its number of shards, 1 or 0.", boolToFloat(s.Target != 0))
	gauge("statefleet_transition_started_timestamp_seconds", "Time when the transition in progress began, in unix seconds; 0 outside of one.",
		unixSeconds(s.StartedAt))
	const transitions = "Number of changes of the number of shards that this replica has seen end: completed, cancelled (the StatefulSet " +
		"went back) or replaced (by another target)."
	counter("statefleet_transitions_total", transitions, s.Transitions.Completed, "result", "completed")
	counter("statefleet_transitions_total", transitions, s.Transitions.Cancelled, "result", "cancelled")
	counter("statefleet_transitions_total", transitions, s.Transitions.Replaced, "result", "replaced")
	counter("statefleet_topology_rejected_total", "Number of topologies that this replica did not follow because neither the StatefulSet nor "+
		"reports of replicas confirm the number of shards.", s.Rejected)
	if s.Active > 0 {
		const coordination = "Whether this replica changes its shard together with the fleet (coordinated) or as soon as it can (alone), 1 or 0."
		gauge("statefleet_coordination", coordination, boolToFloat(s.Coordinated), "state", "coordinated")
		gauge("statefleet_coordination", coordination, boolToFloat(!s.Coordinated), "state", "alone")
	}
	if m.standby {
		gauge("statefleet_standby_active", "Whether this replica also holds the shard of its neighbour, the previous replica, 1 or 0; 0 while the "+
			"fleet's pods cannot be read.", boolToFloat(s.Standby))
		gauge("statefleet_standby_serving_neighbour", "Whether this replica serves the shard of its neighbour, whose pod is not ready, 1 or 0.",
			boolToFloat(s.ServesNeighbour))
		gauge("statefleet_standby_served_by_next", "Whether the next replica serves the shard of this one, whose pod is not ready, 1 or 0.",
			boolToFloat(s.ServedByStandby))
	}
}

func boolToFloat(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func unixSeconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
