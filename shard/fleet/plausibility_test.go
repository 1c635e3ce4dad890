package fleet

import (
	"strings"
	"testing"
	"time"

	"github.com/statefleet/statefleet/shard"
)

// forge writes a topology, as a client outside the fleet with access to the ConfigMap could.
func (s *simulation) forge(t topology) {
	s.logf("forged: %v", t)
	s.data[topologyKey] = t.String()
	s.version++
}

// farAhead returns a forged topology with a revision of the StatefulSet that does not exist yet.
func (s *simulation) farAhead(active members) topology {
	return topology{Generation: s.topology().Generation + 1000, Active: active.total, Start: active.start, Set: s.desired.Set, Revision: 1 << 40, StartedAt: s.now}
}

// Serving replicas do not follow an unconfirmed number of shards, however the topology states it,
// and restore the previous topology.
func TestForgedTopologyRemovesNoObject(t *testing.T) {
	for name, forged := range map[string]func(*simulation) topology{
		"far too many shards": func(s *simulation) topology { return s.farAhead(members{0, shard.MaxTotal}) },
		"a few too many":      func(s *simulation) topology { return s.farAhead(members{0, 4}) },
		"one shard":           func(s *simulation) topology { return s.farAhead(members{5, 1}) },
		"other pods":          func(s *simulation) topology { return s.farAhead(members{100, 3}) },
		"present revision": func(s *simulation) topology {
			f := s.farAhead(members{0, shard.MaxTotal})
			f.Revision = s.desired.Revision
			return f
		},
		"no StatefulSet": func(s *simulation) topology {
			f := s.farAhead(members{0, shard.MaxTotal})
			f.Set, f.Revision = "", 0
			return f
		},
		"last generation": func(s *simulation) topology {
			f := s.farAhead(members{0, shard.MaxTotal})
			f.Generation = lastGeneration - 1
			return f
		},
		"far too many shards that move to the desired ones": func(s *simulation) topology {
			f := s.farAhead(members{0, shard.MaxTotal})
			f.Target = s.desired.Total
			return f
		},
		"far too many shards that move to a few too many": func(s *simulation) topology {
			f := s.farAhead(members{0, shard.MaxTotal})
			f.Target = s.desired.Total + 2
			return f
		},
		"a switch in the past": func(s *simulation) topology {
			f := s.farAhead(s.desired.members())
			f.Target, f.SwitchAt = shard.MaxTotal, s.now.Add(-time.Hour)
			return f
		},
		"a switch in a moment": func(s *simulation) topology {
			f := s.farAhead(s.desired.members())
			f.Target, f.SwitchAt = shard.MaxTotal, s.now.Add(time.Second)
			return f
		},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(6) {
				s := steadyFleet(t, seed, 3)
				for range 3 {
					s.forge(forged(s))
					for range 20 * time.Second / simTick {
						if s.tick(); s.coverage() < 1 {
							s.fatal("seed %d: coverage falls to %.2f, want 1", seed, s.coverage())
						}
					}
				}
				if s.checkAtRest(staleRevisionTimeout); t.Failed() {
					s.fatal("seed %d", seed)
				}
			}
		})
	}
}

// No replica knows the topology by which the fleet served. The replicas wait for others, and then follow the
// StatefulSet.
func TestStartingFleetReplacesAForgedTopology(t *testing.T) {
	s := newSimulation(t, 3)
	s.scale(3)
	s.forge(s.farAhead(members{0, shard.MaxTotal}))
	served := false
	for range time.Minute / simTick {
		s.tick()
		for number, p := range s.pods {
			if p.serves() && p.plan.Active != 3 {
				s.fatal("replica %d serves by a table of %d, want 3", number, p.plan.Active)
			}
			served = served || p.serves()
		}
	}
	if s.checkAtRest(0); t.Failed() || !served {
		s.fatal("served: %t", served)
	}
}

// A replica was cut off while the fleet grew from 3 to 5 and began to shrink to 2. It takes part in the change to 2.
// Reports of five replicas make it follow the table of 5.
func TestMissedSwitchIsFollowed(t *testing.T) {
	pl := planner{}
	obs := observation{desired: desiredReplicas(3), known: true, usable: true, now: noon, desiredAsOf: noon}
	obs.topology = topology{Generation: 1, Active: 3, Set: "u", Revision: 1}
	pl.update(obs)
	obs.desired.Total, obs.desired.Revision = 2, 9
	obs.topology = topology{Generation: 3, Active: 5, Target: 2, Set: "u", Revision: 9}
	obs.reports = map[int]replicaReport{0: {}, 1: {}, 2: {}, 3: {}}
	if pl.update(obs); pl.plan.Active != 3 || pl.plan.Target != 2 || pl.implausible == nil || !strings.Contains(pl.implausible.Error(), "5 shards") {
		t.Errorf("four reports: got plan %+v, error %v, want 3 active, target 2 and an error", pl.plan, pl.implausible)
	}
	if next, ok := pl.propose(obs); ok {
		t.Errorf("propose() = %v, want none", next)
	}
	obs.reports[4] = replicaReport{}
	if pl.update(obs); pl.plan.Active != 5 || pl.plan.Target != 2 || pl.implausible != nil {
		t.Errorf("five reports: got plan %+v, error %v, want 5 active and target 2", pl.plan, pl.implausible)
	}

	// Without a target, the replica writes the table of 3 again, and with it the change to 2.
	obs.topology.Generation, obs.topology.Target, obs.reports = 9, 0, nil
	pl.last, pl.plan = topology{Generation: 1, Active: 3, Set: "u", Revision: 1}, shard.Plan{Active: 3, Target: 3}
	if pl.update(obs); pl.plan.Active != 3 || pl.problem == nil {
		t.Errorf("no report: got plan %+v, problem %v, want 3 active and a problem", pl.plan, pl.problem)
	}
	if next, ok := pl.propose(obs); !ok || next.Active != 3 || next.Target != 2 || next.Generation != 10 {
		t.Errorf("propose() = %v, %t, want generation 10 with 3 active and target 2", next, ok)
	}

	// A replica that has just started serves by no table yet, so it does not take part.
	obs.topology.Target, pl = 2, planner{}
	if pl.update(obs); pl.plan.Active != 0 || pl.problem == nil {
		t.Errorf("just started: got plan %+v, problem %v, want no plan and a problem", pl.plan, pl.problem)
	}
}

// A replica that has just started accepts a table if more than half of its pods have reported or are desired. A replica
// that has seen a topology accepts a table if all of its pods have reported. Each implausible topology counts once.
func TestPlausibleTables(t *testing.T) {
	for _, c := range []struct {
		total, reports int
		knowsTopology  bool
		want           bool
	}{
		{3, 0, false, true}, // the desired number
		{6, 0, false, false}, {6, 1, false, true}, {5, 0, false, true},
		{6, 2, true, false}, {6, 3, true, false}, {6, 6, true, true},
	} {
		pl := planner{}
		if c.knowsTopology {
			pl.last = topology{Generation: 1, Active: 2}
		}
		obs := observation{desired: desiredReplicas(3), contents: contents{reports: map[int]replicaReport{}}}
		for number := range c.reports {
			obs.reports[c.total-1-number] = replicaReport{}
		}
		if got := pl.isPlausible(obs, members{0, c.total}); got != c.want {
			t.Errorf("%+v: isPlausible() = %t", c, got)
		}
	}
	pl, obs := planner{}, observation{desired: desiredReplicas(3), known: true, usable: true, now: noon, desiredAsOf: noon}
	for _, active := range []int{3, 40, 40, 3, 40} {
		obs.topology = topology{Generation: 1, Active: active, Set: "u", Revision: 1}
		pl.update(obs)
	}
	if pl.rejected != 2 {
		t.Errorf("%d topologies were rejected, want 2", pl.rejected)
	}
}

// Two replicas that were cut off serve by tables of 5 and 3 shards. The StatefulSet specifies 2, the ConfigMap has lost
// its data, and the pods that could confirm either table are gone. Each serves by its own table until both switch to 2.
func TestReplicasThatServeByDifferentTablesAgree(t *testing.T) {
	for seed := range uint64(6) {
		s := steadyFleet(t, seed, 2)
		tables := []int{5, 3}
		for number, active := range tables {
			p := s.pods[number]
			p.planner.last = topology{Generation: int64(4 + number), Active: active, Set: s.desired.Set, Revision: s.desired.Revision}
			p.planner.plan = p.planner.last.plan(number, s.now)
		}
		s.data, s.writes = map[string]string{}, 0
		s.version++
		s.advance(time.Second)
		for s.tick(); s.topology().Active != 2; s.tick() {
			for number, active := range tables {
				if p := s.pods[number]; p.plan.Active != active && p.plan.Active != 2 || s.writes > 10 {
					s.fatal("seed %d: replica %d has plan %+v after %d writes of the topology", seed, number, p.plan, s.writes)
				}
			}
		}
		if s.checkAtRest(10 * time.Second); t.Failed() || s.coverage() != 1 {
			s.fatal("seed %d: coverage is %.2f at the end, want 1; worst %s", seed, s.coverage(), s.worst)
		}
	}
}

// Some replicas may not read the StatefulSet while it is scaled. They do not undo what the others decide.
func TestReplicasThatCannotReadTheStatefulSetOverruleNobody(t *testing.T) {
	for seed := range uint64(6) {
		s := steadyFleet(t, seed, 3)
		for number := range 1 + seed%2 {
			s.pods[number].blind = s.now.Add(time.Hour)
		}
		for _, n := range []int{5, 4, 6} {
			s.writes = 0
			s.scale(n)
			s.advance(time.Minute)
			if now := s.topology(); now.Active != n || now.Target != 0 || s.writes > 10 {
				s.fatal("seed %d: a minute after scaling to %d, got topology %v after %d writes", seed, n, now, s.writes)
			}
		}
		if s.endDisturbances(); s.worst > simWindow {
			s.fatal("seed %d: an object was in two expositions, or in none, for %s, want at most %s", seed, s.worst, simWindow)
		}
		if s.checkAtRest(10 * time.Second); t.Failed() {
			s.fatal("seed %d", seed)
		}
	}
}

// A replica that serves by a table of pods 18 to 20 accepts that table without any confirmation.
func TestTableThatIsServedIsPlausible(t *testing.T) {
	pl, obs := planner{}, observation{desired: desiredReplicas(1)}
	obs.desired.Start, obs.desired.Ordinal = 20, 0
	pl.last = topology{Generation: 1, Active: 3, Start: 18}
	pl.plan = shard.Plan{Ordinal: 2, Active: 3}
	if !pl.isPlausible(obs, members{18, 3}) || pl.isPlausible(obs, members{19, 3}) {
		t.Error("want the served table to be plausible, and no other")
	}
	pl.last.Target, pl.last.TargetStart = 5, 18
	if pl.isPlausible(obs, members{18, 5}) {
		t.Error("the target is plausible before the switch is scheduled")
	}
	pl.last.SwitchAt = noon
	if !pl.isPlausible(obs, members{18, 5}) || pl.isPlausible(obs, members{18, 6}) {
		t.Error("want the target of a scheduled switch to be plausible, and no other")
	}
}

// While others may have read a newer StatefulSet, a replica neither follows an unconfirmed topology
// nor replaces it. That ends seconds after the StatefulSet was listed.
func TestUnconfirmedTopologyWaitsForTheStatefulSet(t *testing.T) {
	pl := planner{}
	obs := observation{desired: desiredReplicas(3), known: true, usable: true, now: noon, desiredAsOf: noon}
	obs.topology = topology{Generation: 1, Active: 3, Set: obs.desired.Set, Revision: obs.desired.Revision}
	pl.update(obs)
	for revision := range int64(40) { // another revision each second
		listed := revision > 20
		if obs.now = obs.now.Add(time.Second); listed {
			obs.desiredAsOf = obs.now.Add(-time.Second / 2) // before the newest revision
		}
		obs.topology = topology{Generation: 2 + revision, Active: 5, Set: obs.desired.Set, Revision: obs.desired.Revision + 1 + revision}
		pl.update(obs)
		_, writes := pl.propose(obs)
		if pl.plan.Active != 3 || writes != listed {
			t.Fatalf("after %d s: got plan %+v, writes %t; want 3 active, writes %t", revision, pl.plan, writes, listed)
		}
	}
	obs.desired.Total, obs.desired.Revision, obs.desiredAsOf = 5, obs.topology.Revision, obs.now
	if pl.update(obs); pl.plan.Active != 5 {
		t.Errorf("got plan %+v once the StatefulSet confirms the topology, want 5 active", pl.plan)
	}
}
