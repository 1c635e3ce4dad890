package main

import (
	"context"
	"net"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/statefleet/statefleet/internal/replica"
	"github.com/statefleet/statefleet/internal/web"
	"github.com/statefleet/statefleet/internal/web/statuspage"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/shard/fleet"
)

// page puts together what the fleet page shows.
type page struct {
	*process
	scrapes *scrapeLog
	census  *census
	numbers prometheus.Gatherer
}

// addFleetPage makes the page, and puts it and the way to it into the options.
func (p *process) addFleetPage(o *web.Options, registry *prometheus.Registry, telemetry net.Listener) (err error) {
	p.page = &page{
		process: p,
		scrapes: &scrapeLog{Exporter: p.generations},
		census:  &census{take: p.takeCensus, asked: make(chan struct{}, 1)},
		numbers: registry,
	}
	if at, ok := telemetry.Addr().(*net.TCPAddr); ok {
		o.FleetPort = at.Port
	}
	o.Fleet, err = statuspage.New(statuspage.Options{Overview: p.page.overview, Profiling: o.Profiling})
	return err
}

func (p *process) takeCensus(ctx context.Context) (replica.CardinalityReport, error) {
	return p.generations.serving.Load().replica.Cardinality(ctx)
}

func (p *page) overview() statuspage.Overview {
	o := statuspage.Overview{At: time.Now(), Version: release(), Scrapes: p.scrapes.overview()}
	known := fleet.StaticOverview(p.assignment)
	if p.fleet != nil {
		known = p.fleet.Overview()
	}
	o.Fleet = fleetView(known, p.fleet != nil, p.standby)
	held := p.generations.serving.Load().replica.Overview()
	o.Replica = replicaView(held, known.Status, p.generations.Ready())
	o.Replica.Pod = p.pod
	numbers := selfNumbers(p.numbers)
	o.Replica.Resident, o.Replica.Started, o.Replica.WebConfigRefused = numbers.resident, numbers.started, numbers.refused
	counted, running := p.census.latest(o.At)
	o.Census = censusView(counted, running)
	for _, k := range held.Kinds {
		o.Kinds = append(o.Kinds, kindView(k, counted, numbers.sharded))
	}
	return o
}

func fleetView(f fleet.Overview, followed, standby bool) statuspage.Fleet {
	v := statuspage.Fleet{
		Followed:    followed,
		StatefulSet: f.StatefulSet,
		Coordinated: f.Coordinated,
		Generation:  f.Generation,
		Active:      f.Active,
		Target:      f.Target,
		Wanted:      f.Desired,
		Since:       f.StartedAt,
		SwitchAt:    f.SwitchAt,
		Transitions: statuspage.Transitions(f.Transitions),
		Standby:     f.Standby,

		StandbyAsked: followed && standby,
	}
	if f.Problem != nil {
		v.Problem = f.Problem.Error()
	}
	if f.StatefulSet != "" {
		v.Sources = []statuspage.Source{
			{What: "StatefulSet " + f.StatefulSet, Heard: f.LastContact.StatefulSet},
			{What: "ConfigMap " + f.Topology, Heard: f.LastContact.Topology},
		}
		if standby {
			v.Sources = append(v.Sources, statuspage.Source{What: "its pods", Heard: f.LastContact.Pods})
		}
	}
	for _, r := range f.Replicas {
		v.Members = append(v.Members, statuspage.Member{
			Ordinal: r.Ordinal, Self: r.Self, Pod: r.Pod, State: statuspage.PodState(r.State), Server: r.ServedBy, Holds: r.Holds,
			Own: ringView(r.Own), Next: ringView(r.Next),
		})
	}
	return v
}

func ringView(r shard.Ranges) (ring statuspage.Ring) {
	for _, a := range r {
		ring = append(ring, statuspage.Arc(a))
	}
	return ring
}

func replicaView(o replica.Overview, s fleet.Status, unready error) statuspage.Replica {
	v := statuspage.Replica{
		Ordinal:  s.Ordinal,
		Ready:    unready == nil,
		Serving:  o.Serves == nil,
		Standby:  s.Standby && s.Active > 1,
		Covers:   s.ServesNeighbour,
		Covered:  s.ServedByStandby,
		Shown:    ringView(o.Shown),
		Held:     ringView(o.Held),
		RawBytes: o.RawBytes,
		RawLimit: o.RawLimit,
	}
	switch {
	case unready != nil:
		v.Reason = unready.Error()
	case o.Serves != nil:
		v.Reason = o.Serves.Error()
	}
	return v
}

func kindView(k replica.KindOverview, counted *replica.CardinalityReport, sharded map[string]bool) statuspage.Kind {
	v := statuspage.Kind{
		Name:        k.Name,
		Phase:       string(k.Phase),
		Since:       k.Since,
		Heard:       k.LastEvent,
		Objects:     k.Objects,
		Hidden:      k.HiddenObjects,
		Truncated:   k.Truncated,
		Series:      -1,
		TextBytes:   k.TextBytes,
		RawBytes:    k.RawBytes,
		PackedBytes: k.CompressedBytes,
	}
	if k.Err != nil {
		v.Err = k.Err.Error()
	}
	if counted != nil {
		v.Series = 0
		if i := slices.IndexFunc(counted.Kinds, func(c replica.Count) bool { return c.Name == k.Name }); i >= 0 {
			v.Series = counted.Kinds[i].Series
		}
	}
	if is, known := sharded[k.Name]; known {
		v.Sharded = &is
	}
	return v
}

func censusView(c *replica.CardinalityReport, running bool) *statuspage.Census {
	if c == nil {
		return nil
	}
	counts := func(of []replica.Count) []statuspage.Count {
		all := make([]statuspage.Count, len(of))
		for i, n := range of {
			all[i] = statuspage.Count(n)
		}
		return all
	}
	return &statuspage.Census{
		At: c.At, Seconds: c.Took.Seconds(), Running: running, All: statuspage.Count(c.All),
		Families: counts(c.Families), FamilyTotal: c.FamilyTotal,
		Namespaces: counts(c.Namespaces), NamespaceTotal: c.NamespaceTotal,
	}
}
