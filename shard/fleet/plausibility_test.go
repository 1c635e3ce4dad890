package fleet

import (
	"strings"
	"testing"
	"time"

	"github.com/statefleet/statefleet/shard"
)

// forge writes a topology as somebody does who may write the ConfigMap, and is no replica.
func (s *simulation) forge(t topology) {
	s.say("forged: %v", t)
	s.data[topologyKey] = t.String()
	s.version++
}

// farAhead is a forged topology that claims to follow from a state of the StatefulSet that nobody can know yet.
func (s *simulation) farAhead(active members) topology {
	return topology{Generation: s.topology().Generation + 1000, Active: active.total, Start: active.start, Set: s.desired.Set, Revision: 1 << 40, StartedAt: s.now}
}

// TestForgedTopologyTakesNothingOffThePage: replicas that serve do not follow a number of shards that nothing explains,
// whichever way the topology names it, and write the true one again.
func TestForgedTopologyTakesNothingOffThePage(t *testing.T) {
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
				s := rest(t, seed, 3)
				for range 3 {
					s.forge(forged(s))
					for range 20 * time.Second / simTick {
						if s.tick(); s.coverage() < 1 {
							s.fatal("seed %d: coverage falls to %.2f", seed, s.coverage())
						}
					}
				}
				if s.atEnd(staleRevisionTimeout); t.Failed() {
					s.fatal("seed %d", seed)
				}
			}
		})
	}
}

// TestForgedTopologyIsReplacedByAFleetThatStarts: no replica knows what was served. They wait for others, and then go by
// the StatefulSet.
func TestForgedTopologyIsReplacedByAFleetThatStarts(t *testing.T) {
	s := newSimulation(t, 3)
	s.scale(3)
	s.forge(s.farAhead(members{0, shard.MaxTotal}))
	served := false
	for range time.Minute / simTick {
		s.tick()
		for number, p := range s.pods {
			if p.serves() && p.plan.Active != 3 {
				s.fatal("replica %d serves by %d", number, p.plan.Active)
			}
			served = served || p.serves()
		}
	}
	if s.atEnd(0); t.Failed() || !served {
		s.fatal("served: %t", served)
	}
}

// TestSwitchThatWasMissedIsFollowed: a replica that has heard nothing while the fleet went from 3 to 5, and is on its way
// to 2, believes the reports of five replicas.
func TestSwitchThatWasMissedIsFollowed(t *testing.T) {
	m := planner{}
	v := snapshot{desired: desiredReplicas(3), known: true, usable: true, now: noon, desiredAsOf: noon}
	v.topology = topology{Generation: 1, Active: 3, Set: "u", Revision: 1}
	m.update(v)
	v.desired.Total, v.desired.Revision = 2, 9
	v.topology = topology{Generation: 3, Active: 5, Target: 2, Set: "u", Revision: 9}
	v.reports = map[int]replicaReport{0: {}, 1: {}, 2: {}, 3: {}}
	if m.update(v); m.plan.Active != 3 || m.problem == nil || !strings.Contains(m.problem.Error(), "5 shards") {
		t.Errorf("with four reports it follows %+v: %v", m.plan, m.problem)
	}
	if next, ok := m.propose(v); !ok || next.Active != 3 || next.Generation != 4 {
		t.Errorf("it writes %v, %t", next, ok)
	}
	v.reports[4] = replicaReport{}
	if m.update(v); m.plan.Active != 5 || m.plan.Target != 2 || m.problem != nil {
		t.Errorf("with five reports it follows %+v: %v", m.plan, m.problem)
	}
}

// TestUnexplainedTopologyWaitsForTheStatefulSet: as long as others may know a newer state of the StatefulSet than this
// replica, it neither follows an unexplained topology nor writes another. That ends after seconds, although the StatefulSet
// cannot be read.
func TestUnexplainedTopologyWaitsForTheStatefulSet(t *testing.T) {
	m := planner{}
	v := snapshot{desired: desiredReplicas(3), known: true, usable: true, now: noon, desiredAsOf: noon}
	v.topology = topology{Generation: 1, Active: 3, Set: v.desired.Set, Revision: v.desired.Revision}
	m.update(v)
	for revision := range int64(20) { // others, each second
		v.now = v.now.Add(time.Second)
		v.topology = topology{Generation: 2 + revision, Active: 5, Set: v.desired.Set, Revision: v.desired.Revision + 1 + revision}
		m.update(v)
		_, writes := m.propose(v)
		if late := v.now.Sub(noon.Add(time.Second)) >= staleRevisionTimeout; m.plan.Active != 3 || writes != late {
			t.Fatalf("after %d s it follows %+v; writes: %t", revision, m.plan, writes)
		}
	}
	v.desired.Total, v.desired.Revision, v.desiredAsOf = 5, v.topology.Revision, v.now
	if m.update(v); m.plan.Active != 5 {
		t.Errorf("once the StatefulSet explains it, it follows %+v", m.plan)
	}
}
