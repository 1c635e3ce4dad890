package fleet

import (
	"testing"
	"time"
)

// steadyFleet returns a simulated fleet of n replicas at rest.
func steadyFleet(t *testing.T, seed uint64, n int) *simulation {
	s := newSimulation(t, seed)
	s.scale(n)
	s.startUp()
	return s
}

// breakPod makes a pod unable to run.
func (s *simulation) breakPod(number int) {
	s.pods[number] = s.newProcess(s.pods[number].planner.pod)
	s.pods[number].restarts = s.now.Add(1000 * time.Hour)
	s.version++
}

// The fleet shrinks from 5 to 3 while replica 1 cannot run. The fleet waits for that replica as long as
// the leaving replicas may serve, and then switches without it.
func TestScaleDownWithAFailedSurvivorKeepsServedObjects(t *testing.T) {
	for seed := range uint64(4) {
		s := steadyFleet(t, seed, 5)
		s.breakPod(1)
		s.advance(10 * time.Second)
		before := s.coverage()
		s.scale(3)
		s.advance(simGrace - forcedSwitchLead - 5*time.Second) // clocks differ by up to 3 s
		if now := s.coverage(); now < before {
			s.fatal("seed %d: coverage falls from %.2f to %.2f although the leaving replicas may still serve", seed, before, now)
		}
		s.advance(time.Minute)
		if most := float64(simObjects-countOf(s.own[3][1])) / simObjects; s.coverage() != most || s.worst > simWindow {
			s.fatal("seed %d: coverage is %.2f at the end, want %.2f; worst %s", seed, s.coverage(), most, s.worst)
		}
		s.pods[1].restarts = s.now
		s.checkAtRest(time.Minute)
		if t.Failed() {
			s.fatal("seed %d", seed)
		}
	}
}

func countOf(o objectSet) (n int) {
	for ; o != 0; o &= o - 1 {
		n++
	}
	return n
}

// The fleet is scaled from 5 to 2 and back to 5, before or after the switch is scheduled. The deleted
// pods end in any case, and new pods with their names start only after that.
func TestCancelledScaleDownLosesNothing(t *testing.T) {
	scheduled := 0
	for seed := range uint64(12) {
		s := steadyFleet(t, seed, 5)
		s.scale(2)
		old := s.pods[4]
		for range s.randomUpTo(7*time.Second) / simTick {
			s.tick()
			if s.topology().scheduled() {
				scheduled++
				break
			}
		}
		s.scale(5)
		least := 1.0
		for range time.Minute / simTick {
			s.tick()
			if s.worst > simWindow {
				least = min(least, s.coverage())
			}
		}
		if s.pods[4] == old && old.deleted.IsZero() {
			continue // the scale-down was cancelled before a pod was deleted
		}
		if s.worst > simWindow {
			s.fatal("seed %d: an object was in two expositions, or in none, for %s; coverage falls to %.2f", seed, s.worst, least)
		}
		if s.checkAtRest(time.Minute); t.Failed() {
			s.fatal("seed %d", seed)
		}
	}
	if scheduled < 3 || scheduled > 9 {
		t.Errorf("the switch was scheduled in %d of 12 histories, want 3 to 9", scheduled)
	}
}

// The watch delivers neither the scale-down nor its cancellation.
func TestLeavingReplicaServesAlthoughItsWatchIsSilent(t *testing.T) {
	s := steadyFleet(t, 3, 5)
	for _, p := range s.pods[2:5] {
		p.silentWatch = true
	}
	s.scale(2)
	s.advance(time.Second)
	s.scale(5)
	s.advance(time.Minute)
	if s.worst > simWindow || s.moved == 0 {
		s.fatal("an object was in two expositions, or in none, for %s; %d objects moved", s.worst, s.moved)
	}
	if s.checkAtRest(time.Minute); t.Failed() {
		s.fatal("")
	}
}

// All replicas of a fleet of 3 are killed repeatedly, because they lack the memory for a third of
// the objects. Six replicas have enough.
func TestScalingUpEndsMemoryKills(t *testing.T) {
	for seed := range uint64(6) {
		s := steadyFleet(t, seed, 3)
		s.memoryLimit = simObjects/6 + 2 // enough for a sixth, not for a third
		s.advance(6 * time.Minute)
		if s.coverage() != 0 || s.kills < 6 {
			s.fatal("seed %d: %d kills and coverage %.2f, want at least 6 and 0", seed, s.kills, s.coverage())
		}
		began := s.now
		s.scale(6)
		for s.coverage() < 1 && s.now.Sub(began) < 30*time.Minute {
			s.tick()
		}
		if took := s.now.Sub(began); s.coverage() < 1 || took > targetOnlyTimeout {
			s.fatal("seed %d: coverage is %.2f %s after the fleet was scaled to 6, want 1; topology %v", seed, s.coverage(), took, s.topology())
		}
		if s.checkAtRest(time.Minute); t.Failed() {
			s.fatal("seed %d", seed)
		}
	}
}

// A replica that restarts during a transition first loads its part of the target, and then its part of
// the active table. The fleet meanwhile waits for a replica that cannot start.
func TestReplicaRecoversFromARestartDuringGrowth(t *testing.T) {
	for _, killed := range []bool{false, true} {
		s := steadyFleet(t, 1, 3)
		s.scale(5)
		s.tick() // the new pods are there
		s.breakPod(4)
		s.advance(10 * time.Second)
		s.pods[0] = s.newProcess(s.pods[0].planner.pod)
		s.pods[0].planner.oomKilled = killed
		s.version++
		s.advance(20 * time.Second)
		part := float64(simObjects-countOf(s.own[3][0])) / simObjects
		want := map[bool]float64{false: 1, true: part}[killed]
		if s.coverage() != want || s.topology().Target != 5 {
			s.fatal("killed %t: coverage is %.2f after 20 s, want %.2f; topology %v", killed, s.coverage(), want, s.topology())
		}
		if !parseReports(s.data)[0].Holds {
			s.fatal("killed %t: the replica has not reported that it holds its part", killed)
		}
		if s.advance(targetOnlyTimeout); s.coverage() != 1 {
			s.fatal("killed %t: coverage is %.2f after targetOnlyTimeout, want 1", killed, s.coverage())
		}
	}
}

// spec.ordinals.start changes, so that all shards move to other pods.
func TestChangeOfTheFirstOrdinalIsATransition(t *testing.T) {
	for seed := range uint64(4) {
		for _, standby := range []bool{false, true} {
			s := newSimulation(t, seed)
			s.standby = standby
			s.scale(3)
			s.startUp()
			for _, start := range []int{2, 4, 1, 0} {
				s.logf("start at %d", start)
				s.desired.Start, s.desired.Revision = start, s.desired.Revision+1
				s.version++
				s.advance(30 * time.Second)
			}
			if s.worst > simWindow && !standby {
				s.fatal("seed %d: an object was in two expositions, or in none, for %s", seed, s.worst)
			}
			if s.checkAtRest(time.Minute); t.Failed() || s.switches < 4 || s.moved == 0 {
				s.fatal("seed %d: %d switches, %d objects moved", seed, s.switches, s.moved)
			}
		}
	}
}

// The StatefulSet is recreated with another number of replicas. The watch of one replica does not
// deliver that.
func TestReplicasAgreeOnARecreatedStatefulSet(t *testing.T) {
	s := steadyFleet(t, 2, 3)
	s.pods[0].silentWatch = true
	before := s.topology().Generation
	s.desired.Set, s.desired.Revision = "another", 1
	s.scale(5)
	s.advance(time.Minute)
	if now := s.topology(); now.Active != 5 || now.Generation > before+1 || s.worst > simWindow {
		s.fatal("got topology %v after one change, want 5 active; worst %s", now, s.worst)
	}
}
