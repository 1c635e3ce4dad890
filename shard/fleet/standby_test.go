package fleet

import (
	"testing"
	"time"

	"github.com/statefleet/statefleet/shard"
)

const (
	simProbe = time.Second // longest time between two readiness probes
	// simDoubled is the longest time that two replicas serve an object: both react to the same change of a pod, but
	// receive it at different times. A switch may prolong it.
	simDoubled = overlap + simWindow + 2*simTick
	// simMissing is the longest time that no replica serves an object although one could. A switch may prolong it.
	simMissing = simLag + simTick + 3*simTick + simWindow
)

// probe is the kubelet's readiness probe. It reports a replica ready with a delay.
func (s *simulation) probe(p *simPod) {
	if p.probed.IsZero() {
		p.probed = s.now.Add(s.randomUpTo(simProbe))
	}
	if s.now.Before(p.probed) {
		return
	}
	p.probed = time.Time{}
	if ready := p.ready; ready != p.reported {
		p.reported, p.neverReady = ready, p.neverReady && !ready
		s.version++
	}
}

func (s *simulation) peers() peers {
	all := peers{}
	for ordinal, p := range s.pods {
		if p != nil {
			all[ordinal] = peer{uid: p.planner.pod, ready: p.reported, neverReady: p.neverReady && p.restarts.IsZero(), terminating: !p.deleted.IsZero()}
		}
	}
	return all
}

// hasReportedComplete reports whether the replica of an ordinal has reported that it holds
// everything.
func (s *simulation) hasReportedComplete(ordinal int) bool {
	r := parseReports(s.data)[ordinal]
	return r.Complete && r.Pod == s.pods[ordinal].planner.pod
}

// servable reports whether the owner of a shard, or its standby, is able to serve it.
func (s *simulation) servable(number int, active topology) bool {
	after := active.Start + (number-active.Start+1)%active.Active
	if max(number, after) >= simMaxReplicas {
		return false
	}
	owner, other := s.pods[number], s.pods[after]
	return owner.serves() || active.Active > 1 && other.serves() && (other.reported || other.neverReady && s.hasReportedComplete(after)) && other.deleted.IsZero()
}

func (s *simulation) auditStandby() {
	down := func(t topology, object int) bool { return t.Active == 0 || !s.servable(s.owner(t, object), t) }
	recorded, active := s.recorded(), s.topology()
	for h := range simObjects {
		copies := s.expositions(h)
		excused := copies == 0 && (down(recorded, h) || down(active, h))
		if copies == 1 || excused {
			s.violatedSince[h] = time.Time{}
			continue
		}
		if s.violatedSince[h].IsZero() {
			s.violatedSince[h] = s.now
		}
		limit := max(simDoubled, simWindow)
		if copies == 0 {
			limit = simMissing
		}
		since := s.now.Sub(s.violatedSince[h])
		if s.worst = max(s.worst, since); since > limit {
			for number, p := range s.pods {
				s.logf("replica %d: %+v", number, p)
			}
			s.fatal("object %d of replica %d has been in %d expositions for %s, want at most %s", h, s.owner(active, h), copies, since, limit)
		}
	}
}

// roll replaces all pods, one after the other, as the StatefulSet controller does.
func (s *simulation) roll() {
	for ordinal := s.desired.Total - 1; ordinal >= 0; ordinal-- {
		p := s.pods[ordinal]
		if p == nil {
			continue
		}
		s.logf("%d is replaced", ordinal)
		if p.restarts.IsZero() {
			s.remove(ordinal)
		}
		for wait := 0; wait < int(2*time.Minute/simTick); wait++ {
			s.tick()
			if now := s.pods[ordinal]; now != nil && now != p && now.reported {
				break
			}
		}
	}
}

// Replicas crash, are replaced, and are added at random moments.
func TestStandbyThroughRandomChanges(t *testing.T) {
	var counts simCounts
	for seed := range seeds() {
		s := newSimulation(t, seed)
		s.standby = true
		s.startUp()
		for range 10 {
			s.advance(500*time.Millisecond + s.randomUpTo(12*time.Second))
			switch s.random.IntN(5) {
			case 0, 1:
				s.crash()
			case 2:
				s.roll()
			default:
				s.scale(1 + s.random.IntN(simMaxReplicas))
			}
		}
		s.checkAtRest(time.Minute)
		for ordinal := range s.desired.Total {
			if p := s.pods[ordinal].plan; p.ServesNeighbour || p.ServedByStandby {
				t.Errorf("replica %d: got plan %+v at the end, want no standby in use, because all replicas are ready", ordinal, p)
			}
		}
		counts.add(s)
		if t.Failed() {
			s.fatal("seed %d", seed)
		}
	}
	counts.check(t, 2, 4, 1)
}

// The replicas of a fleet at rest crash or are replaced one after the other. No object is missing
// for long.
func TestStandbyServesWhileOneReplicaIsAway(t *testing.T) {
	for total := 2; total <= 4; total++ {
		s := newSimulation(t, uint64(total))
		s.standby = true
		s.scale(total)
		for range 30 * time.Second / simTick {
			s.tick()
		}
		for ordinal := range total {
			s.logf("%d crashes", ordinal)
			s.pods[ordinal] = s.newProcess(s.pods[ordinal].planner.pod)
			s.version++
			for range 20 * time.Second / simTick {
				s.tick()
			}
		}
		s.roll()
		s.checkAtRest(time.Minute)
		t.Logf("%d replicas: worst %s", total, s.worst)
		if s.takeovers < 2*total {
			t.Errorf("%d replicas: %d takeovers, want at least %d", total, s.takeovers, 2*total)
		}
		if t.Failed() {
			s.fatal("%d replicas", total)
		}
	}
}

func TestStandbyState(t *testing.T) {
	ready, unready, leaving := peer{ready: true}, peer{}, peer{ready: true, terminating: true}
	for name, c := range map[string]struct {
		peers                            []peer // of three replicas
		servesNeighbour, servedByStandby bool   // of replica 1
	}{
		"all are ready":                       {peers: []peer{ready, ready, ready}},
		"neighbour not ready":                 {peers: []peer{unready, ready, ready}, servesNeighbour: true},
		"neighbour being deleted":             {peers: []peer{leaving, ready, ready}, servesNeighbour: true},
		"replica not ready":                   {peers: []peer{ready, unready, ready}, servedByStandby: true},
		"replica being deleted":               {peers: []peer{ready, leaving, ready}, servedByStandby: true},
		"replica and its standby not ready":   {peers: []peer{ready, unready, unready}},
		"no pod is ready":                     {peers: []peer{unready, unready, unready}},
		"replica and its neighbour not ready": {peers: []peer{unready, unready, ready}, servedByStandby: true},
		"only the replica ready":              {peers: []peer{unready, ready, unready}, servesNeighbour: true},
	} {
		t.Run(name, func(t *testing.T) {
			all := peers{}
			for ordinal, p := range c.peers {
				all[ordinal] = p
			}
			pl := planner{incarnation: "x"}
			d := desiredReplicas(3)
			d.Ordinal = 1
			obs := observation{desired: d, known: true, standby: true, peers: all, now: noon}
			pl.update(obs)
			obs.now = obs.now.Add(overlap)
			pl.update(obs)
			if p := pl.plan; !p.Standby || p.ServesNeighbour != c.servesNeighbour || p.ServedByStandby != c.servedByStandby {
				t.Errorf("got plan %+v, want ServesNeighbour %t, ServedByStandby %t", p, c.servesNeighbour, c.servedByStandby)
			}
		})
	}
}

// A replica outside the active table stands by for no other, although no other pod is ready.
func TestOnlyActiveReplicasStandBy(t *testing.T) {
	for ordinal, want := range map[int]bool{-1: false, 0: true, 1: true, 2: true, 3: false} {
		obs := observation{standby: true, desired: desiredReplicas(4), peers: peers{ordinal: {ready: true}}, now: noon}
		obs.desired.Ordinal = ordinal
		pl := planner{plan: shard.Plan{Ordinal: ordinal, Active: 3, Target: 4}}
		pl.updateStandby(obs)
		if pl.plan.ServesNeighbour != want {
			t.Errorf("ordinal %d of 3: ServesNeighbour = %t, want %t", ordinal, pl.plan.ServesNeighbour, want)
		}
	}
}

// In another table, the neighbour's shard belongs to another replica.
func TestNeighbourOfAnotherTableIsGivenUpAtOnce(t *testing.T) {
	obs := observation{standby: true, desired: desiredReplicas(4), peers: peers{0: {}, 1: {ready: true}, 2: {ready: true}}, now: noon}
	obs.desired.Ordinal = 1
	pl := planner{plan: shard.Plan{Ordinal: 1, Active: 3, Target: 4}}
	serves := func(want bool, when string) {
		t.Helper()
		pl.updateStandby(obs)
		if pl.plan.ServesNeighbour != want {
			t.Errorf("%s: ServesNeighbour = %t, want %t", when, !want, want)
		}
	}
	serves(true, "while the neighbour is away")
	obs.peers = peers{0: {ready: true}, 1: {ready: true}, 2: {ready: true}}
	serves(true, "when it is back")
	pl.plan.Active = 4
	serves(false, "after the switch")
}

// A new replica serves from the switch on, even if its pod has not been probed since.
func TestNewReplicaServesFromTheSwitch(t *testing.T) {
	grown := topology{Generation: 5, Active: 3, Set: "u", Revision: 7}
	report := func(r replicaReport) map[string]string {
		return map[string]string{topologyKey: grown.String(), reportKey(2): r.String()}
	}
	holds := replicaReport{Generation: 5, Target: 3, Holds: true, Complete: true, Pod: "new"}
	for name, c := range map[string]struct {
		report replicaReport
		peer   peer
		serves bool
	}{
		"holds its part":               {report: holds, peer: peer{uid: "new", neverReady: true}, serves: true},
		"held another part before":     {report: replicaReport{Generation: 4, Target: 9, Holds: true, Complete: true, Pod: "new"}, peer: peer{uid: "new", neverReady: true}, serves: true},
		"does not hold everything yet": {report: replicaReport{Generation: 5, Target: 3, Holds: true, Pod: "new"}, peer: peer{uid: "new", neverReady: true}},
		"has not reported":             {peer: peer{uid: "new", neverReady: true}},
		"holds nothing any more":       {report: replicaReport{Generation: 5, Target: 3, Pod: "new"}, peer: peer{uid: "new", neverReady: true}},
		"report of an earlier pod":     {report: holds, peer: peer{uid: "newer", neverReady: true}},
		"report without a pod":         {report: replicaReport{Generation: 5, Target: 3, Holds: true, Complete: true}, peer: peer{neverReady: true}},
		"was ready, or restarts":       {report: holds, peer: peer{uid: "new"}},
		"being deleted":                {report: holds, peer: peer{uid: "new", neverReady: true, terminating: true}},
	} {
		t.Run(name, func(t *testing.T) {
			all := peers{0: {ready: true}, 1: {ready: true}, 2: c.peer}
			for ordinal, want := range []shard.Plan{{ServesNeighbour: !c.serves}, {}, {ServedByStandby: !c.serves}} {
				pl := planner{incarnation: "x"}
				d := desiredReplicas(3)
				d.Ordinal = ordinal
				pl.update(observation{desired: d, known: true, usable: true, contents: parseContents(report(c.report)), standby: true, peers: all, now: noon})
				if p := pl.plan; p.ServesNeighbour != want.ServesNeighbour || p.ServedByStandby != want.ServedByStandby {
					t.Errorf("replica %d: got plan %+v, want %+v", ordinal, p, want)
				}
			}
		})
	}
}

func TestReplicaGivesUpAfterAnotherTookOver(t *testing.T) {
	pl := planner{incarnation: "x"}
	d := desiredReplicas(2)
	obs := observation{desired: d, known: true, standby: true, peers: peers{0: {ready: true}, 1: {}}, now: noon}
	at := func(after time.Duration, want bool) {
		t.Helper()
		obs.now = noon.Add(after)
		if pl.update(obs); pl.plan.ServesNeighbour != want {
			t.Errorf("after %s: ServesNeighbour = %t, want %t", after, pl.plan.ServesNeighbour, want)
		}
	}
	at(0, true)
	obs.peers = peers{0: {ready: true}, 1: {ready: true}}
	at(time.Second, true)
	at(time.Second+overlap-1, true)
	at(time.Second+overlap, false)
	obs.peers = peers{0: {ready: true}}
	at(2*time.Second, true)
}
