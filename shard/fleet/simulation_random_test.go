package fleet

import (
	"flag"
	"testing"
	"time"
)

// simSeeds is the number of random histories per simulation.
var simSeeds = flag.Int("seeds", 10, "number of random histories per simulation of a fleet")

func seeds() uint64 {
	if testing.Short() {
		return 3
	}
	return uint64(*simSeeds)
}

// simCounts counts the events in the histories of a simulation, so that a test can check that they
// were not trivial.
type simCounts struct{ switches, moved, takeovers, crashes int }

func (e *simCounts) add(s *simulation) {
	e.switches += s.switches
	e.moved += s.moved
	e.takeovers += s.takeovers
	e.crashes += s.crashes
}

// check fails the test if the histories contained fewer events than these on average. A switch between
// tables of 1 to 7 moves about half of all objects.
func (e *simCounts) check(t *testing.T, switches, takeovers, crashes int) {
	t.Helper()
	n := int(seeds())
	t.Logf("%d histories: %d switches, %d objects moved, %d takeovers, %d crashes", n, e.switches, e.moved, e.takeovers, e.crashes)
	if e.switches < switches*n || e.takeovers < takeovers*n || e.crashes < crashes*n {
		t.Errorf("%d histories: want at least %d switches, %d takeovers and %d crashes per history", n, switches, takeovers, crashes)
	}
	if e.moved < e.switches*simObjects/8 {
		t.Errorf("%d switches moved %d objects, want at least an eighth of %d per switch", e.switches, e.moved, simObjects)
	}
}

// The target changes at random moments, also during a transition. Clocks differ by up to six
// seconds, and replicas crash.
func TestEveryObjectIsServedOnceThroughRandomChanges(t *testing.T) {
	var worst time.Duration
	var counts simCounts
	for seed := range seeds() {
		s := newSimulation(t, seed)
		s.startUp()
		for range 12 {
			s.advance(500*time.Millisecond + s.randomUpTo(12*time.Second))
			if s.random.IntN(4) == 0 {
				s.crash()
			} else {
				s.scale(1 + s.random.IntN(simMaxReplicas))
			}
		}
		s.checkAtRest(time.Minute)
		counts.add(s)
		if worst = max(worst, s.worst); s.worst > simWindow {
			t.Errorf("an object was in two expositions, or in none, for %s, want at most %s", s.worst, simWindow)
		}
		if t.Failed() {
			s.fatal("seed %d", seed)
		}
	}
	counts.check(t, 3, 0, 1)
	t.Logf("worst %s in %d histories, %s allowed", worst, seeds(), simWindow)
}

// The ConfigMap is deleted, emptied, garbled and edited at random moments. Meanwhile replicas crash, are cut off, or
// lack the rights to the ConfigMap or to the StatefulSet.
func TestFleetRecoversFromACorruptedTopology(t *testing.T) {
	var counts simCounts
	for seed := range seeds() {
		s := newSimulation(t, seed)
		for range 12 {
			s.advance(s.randomUpTo(8 * time.Second))
			s.corruptConfigMap()
			if s.random.IntN(2) == 0 {
				s.scale(1 + s.random.IntN(simMaxReplicas))
			}
			s.disturbReplica()
		}
		s.endDisturbances()
		s.checkAtRest(switchTimeout + time.Minute) // until then, replicas wait for a switch at a wrong time
		counts.add(s)
		if t.Failed() {
			s.fatal("seed %d", seed)
		}
	}
	counts.check(t, 3, 0, 0)
}

// disturbReplica may cut a replica off from the API server, deny it the ConfigMap or the StatefulSet, or
// end its process.
func (s *simulation) disturbReplica() {
	number := s.random.IntN(simMaxReplicas)
	p, until := s.pods[number], s.now.Add(s.randomUpTo(time.Minute))
	if p == nil {
		return
	}
	switch s.random.IntN(5) {
	case 0:
		s.logf("%d is cut off until %s", number, until.Format("04:05"))
		p.cutOff = until
	case 1:
		s.logf("%d is denied until %s", number, until.Format("04:05"))
		p.denied, p.version = until, -1
	case 2:
		s.crash()
	case 3:
		s.logf("%d cannot read the StatefulSet until %s", number, until.Format("04:05"))
		p.blind = until
	}
}

// endDisturbances lets all replicas read the StatefulSet and read and write the ConfigMap, which exists.
func (s *simulation) endDisturbances() {
	for _, p := range s.pods {
		if p != nil {
			p.cutOff, p.denied, p.blind, p.version = time.Time{}, time.Time{}, time.Time{}, -1
		}
	}
	if s.data == nil {
		s.data = map[string]string{}
		s.version++
	}
}

func (s *simulation) corruptConfigMap() {
	s.version++
	if s.data == nil {
		s.logf("object created again")
		s.data = map[string]string{}
		return
	}
	switch s.random.IntN(5) {
	case 0:
		s.logf("object deleted")
		s.data = nil
	case 1:
		s.logf("object emptied")
		s.data = map[string]string{}
	case 2:
		s.logf("topology garbled")
		s.data[topologyKey] = `{"active":`
	case 3:
		edited := topology{Generation: s.random.Int64N(20), Active: s.random.IntN(simMaxReplicas + 1), Target: s.random.IntN(simMaxReplicas + 1), Revision: s.random.Int64N(40), Set: "u"}
		if s.random.IntN(2) == 0 {
			edited.SwitchAt = s.now.Add(s.randomUpTo(time.Hour) - 30*time.Minute)
		}
		s.logf("topology edited: %v", edited)
		s.data[topologyKey] = edited.String()
	case 4:
		s.logf("reports forged")
		for number := range simMaxReplicas {
			s.data[reportKey(number)] = replicaReport{Generation: 1 << 60, Target: 3, Holds: true}.String()
		}
	}
}

// The clock of one replica is wrong by seconds to minutes, in either direction.
func TestWrongClockDelaysNothing(t *testing.T) {
	for _, off := range []time.Duration{-10 * time.Minute, -2 * time.Minute, -30 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute} {
		for _, replica := range []int{0, 2} {
			s := newSimulation(t, uint64(replica))
			s.scale(3)
			for _, n := range []int{3, 5, 3, 4, 3} {
				s.scale(n)
				before := s.switches
				for range 30 * time.Second / simTick {
					s.tick()
					for number, p := range s.pods {
						if p != nil && number == replica {
							p.skew = off
						}
					}
				}
				if now := s.topology(); now.Active != n || now.Target != 0 || s.switches-before > 1 {
					s.fatal("clock of replica %d off by %s: 30 s after scaling to %d, got topology %v after %d switches", replica, off, n, now, s.switches-before)
				}
			}
			if s.worst > simWindow {
				s.fatal("clock of replica %d off by %s: an object was in two expositions, or in none, for %s", replica, off, s.worst)
			}
		}
	}
}
