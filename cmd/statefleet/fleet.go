package main

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/shard/fleet"
)

// makeFleet finds out where the shard comes from: the command line, or the fleet.
func (p *process) makeFleet(config *rest.Config, registry *prometheus.Registry) error {
	if p.pod == "" {
		a := p.assignment
		return registry.Register(newFleetMetrics(func() fleet.Status { return fleet.Status{Ordinal: a.Ordinal, Active: a.Total} }, false))
	}
	client, err := fleet.NewClient(config, p.podNamespace)
	if err != nil {
		return p.apiError(err)
	}
	p.fleet = &fleet.Coordinator{
		Discovery: fleet.Discovery{Client: client, Namespace: p.podNamespace, Pod: p.pod, Standby: p.standby, Logger: p.logger},
		Member:    p.generations,
	}
	metrics := newFleetMetrics(p.fleet.Status, true)
	if p.standby {
		metrics.gauges = append(metrics.gauges, standbyGauges()...)
	}
	return registry.Register(metrics)
}

// holdsChanged tells the fleet, if there is one, that this replica may hold something else than before.
func (p *process) holdsChanged() {
	if p.fleet != nil {
		p.fleet.HoldsChanged()
	}
}

// drain waits until what this replica serves has been taken over, where it must be.
func (p *process) drain(ctx context.Context) {
	if p.fleet == nil || p.drainTimeout == 0 {
		return
	}
	p.generations.handOver(p.fleet.Status().HasStandby())
	ctx, cancel := context.WithTimeout(ctx, p.drainTimeout)
	defer cancel()
	if err := p.fleet.Drain(ctx); err != nil {
		p.logger.Warn("stopping before others have taken over", "timeout", p.drainTimeout)
	}
}

// fleetMetrics show the shard, as kube-state-metrics' alerts about missing and mismatched shards expect it, and how the
// fleet stands. They have no samples before the first shard is known.
type fleetMetrics struct {
	status       func() fleet.Status
	followed     bool // there is a fleet, and not only a command line
	ordinal      *prometheus.Desc
	total        *prometheus.Desc
	gauges       []fleetGauge
	changes      *prometheus.Desc
	rejected     *prometheus.Desc
	coordination *prometheus.Desc
}

type fleetGauge struct {
	desc *prometheus.Desc
	of   func(fleet.Status) float64
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// standbyGauges are those of a fleet whose replicas stand by for one another.
func standbyGauges() []fleetGauge {
	return []fleetGauge{
		{desc("statefleet_standby_active", "Whether this replica holds the shard of the one before it as well, 1 or 0; 0 while the fleet's pods cannot be read."),
			func(s fleet.Status) float64 { return truth(s.Standby) }},
		{desc("statefleet_standby_covers", "Whether this replica serves the shard of the one before it, whose pod is not ready, 1 or 0."),
			func(s fleet.Status) float64 { return truth(s.ServesNeighbour) }},
		{desc("statefleet_standby_covered", "Whether the replica after this one serves the shard of this one, whose pod is not ready, 1 or 0."),
			func(s fleet.Status) float64 { return truth(s.ServedByStandby) }},
	}
}

func newFleetMetrics(status func() fleet.Status, followed bool) *fleetMetrics {
	return &fleetMetrics{
		status:   status,
		followed: followed,
		ordinal:  desc("kube_state_metrics_shard_ordinal", "The shard of this replica, counted from 0.", "shard_ordinal"),
		total:    desc("kube_state_metrics_total_shards", "Number of shards in the fleet, as this replica knows it."),
		gauges: []fleetGauge{
			{desc("statefleet_topology_generation", "Generation of the fleet's topology; it grows with each decision. 0 while there is none."),
				func(s fleet.Status) float64 { return float64(s.Generation) }},
			{desc("statefleet_topology_active_shards", "Number of shards that the fleet serves by."),
				func(s fleet.Status) float64 { return float64(s.Active) }},
			{desc("statefleet_topology_target_shards", "Number of shards that the fleet moves to; that of the active ones when it does not move."),
				func(s fleet.Status) float64 { return float64(cmp.Or(s.Target, s.Active)) }},
			{desc("statefleet_topology_desired_shards", "Number of shards that the StatefulSet asks for, as this replica last read it. 0 while it is not known."),
				func(s fleet.Status) float64 { return float64(s.Desired) }},
			{desc("statefleet_transition_in_progress", "Whether the fleet prepares a change of its number of shards, 1 or 0."),
				func(s fleet.Status) float64 { return truth(s.Target != 0) }},
			{desc("statefleet_transition_started_timestamp_seconds", "Time when the change that is prepared was decided, in unix seconds; 0 when none is."),
				func(s fleet.Status) float64 { return seconds(s.StartedAt) }},
		},
		changes:      desc("statefleet_transitions_total", "Number of changes of the number of shards that this replica has seen end: completed, cancelled (the StatefulSet went back) or replaced (by another target).", "result"),
		rejected:     desc("statefleet_topology_rejected_total", "Number of topologies that this replica did not follow because neither the StatefulSet nor reports of replicas explain the number of shards."),
		coordination: desc("statefleet_coordination", "Whether this replica changes its shard together with the fleet (coordinated) or as soon as it can (alone), 1 or 0.", "state"),
	}
}

// Describe implements [prometheus.Collector].
func (m *fleetMetrics) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.ordinal
	ch <- m.total
	if !m.followed {
		return
	}
	for _, g := range m.gauges {
		ch <- g.desc
	}
	ch <- m.changes
	ch <- m.rejected
	ch <- m.coordination
}

// Collect implements [prometheus.Collector].
func (m *fleetMetrics) Collect(ch chan<- prometheus.Metric) {
	s := m.status()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if s.Active > 0 {
		gauge(m.ordinal, float64(s.Ordinal), strconv.Itoa(s.Ordinal))
		gauge(m.total, float64(s.Active))
	}
	if !m.followed {
		return
	}
	for _, g := range m.gauges {
		gauge(g.desc, g.of(s))
	}
	count := func(d *prometheus.Desc, n int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	count(m.changes, s.Transitions.Completed, "completed")
	count(m.changes, s.Transitions.Cancelled, "cancelled")
	count(m.changes, s.Transitions.Replaced, "replaced")
	count(m.rejected, s.Rejected)
	if s.Active > 0 {
		gauge(m.coordination, truth(s.Coordinated), "coordinated")
		gauge(m.coordination, truth(!s.Coordinated), "alone")
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
