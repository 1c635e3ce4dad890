package fleet

import (
	"maps"
	"math/bits"
	"time"

	"github.com/statefleet/statefleet/shard"
)

// run is one tick of a replica.
func (s *simulation) run(number int, p *simPod) {
	due := s.receive(number, p)
	if p.write != nil && s.now.After(p.written) {
		if !s.now.Before(p.cutOff) && !s.now.Before(p.denied) {
			_ = p.write() // after a conflict the replica updates again
		}
		p.write, due = nil, true
	}
	if p.plan != (shard.Plan{}) && s.settle(number, p) {
		due = true
	}
	if s.pods[number] != p { // killed
		return
	}
	p.seen.now = s.now.Add(p.skew)
	if wake := p.planner.wakeAt; !due && (wake.IsZero() || p.seen.now.Before(wake)) {
		return
	}
	servedNeighbour := p.plan.ServesNeighbour
	p.planner.update(p.seen)
	if p.plan = p.planner.plan; p.plan.ServesNeighbour && !servedNeighbour {
		s.takeovers++
	}
	s.settle(number, p)
	if s.pods[number] == p {
		s.decide(number, p)
	}
}

// receive delivers changes to a replica and reports whether there were any.
func (s *simulation) receive(number int, p *simPod) (changed bool) {
	if s.now.Before(p.cutOff) {
		return false
	}
	if !p.denied.IsZero() && !s.now.Before(p.denied) {
		p.denied, p.version = time.Time{}, -1
	}
	if stale := !p.planner.staleSince.IsZero(); stale && p.relistAt.IsZero() {
		p.relistAt = s.now.Add(s.randomUpTo(simLatency) + simTick)
	}
	blind := s.now.Before(p.blind)
	relisted := !p.relistAt.IsZero() && s.now.After(p.relistAt) && !blind
	if relisted || p.version != s.version && s.now.After(p.nextEvent) {
		if p.version = s.version; p.nextEvent.Before(s.now) {
			p.nextEvent = s.now.Add(s.randomUpTo(simLag)) // of the next change
		}
		seen := observation{known: true, usable: s.data != nil, absent: s.data == nil, contents: parseContents(maps.Clone(s.data))}
		if !p.denied.IsZero() {
			seen = observation{known: true}
		}
		seen.desired, seen.desiredAsOf = p.seen.desired, p.seen.desiredAsOf
		if relisted || !p.silentWatch && !blind || p.seen.desired.Total == 0 {
			seen.desired = s.desired
			seen.desired.Ordinal = number - s.desired.Start
		}
		if relisted {
			p.relistAt, seen.desiredAsOf = time.Time{}, s.now.Add(p.skew)
		}
		if !p.deleted.IsZero() {
			seen.stopBy = p.deleted.Add(simGrace + p.skew)
		}
		seen.standby, seen.peers = s.standby, s.peers()
		p.seen = seen
		return true
	}
	return false
}

func (s *simulation) decide(number int, p *simPod) {
	own, neighbour := s.objectsFor(p, p.plan.Ordinal, p.plan.Active)
	held := shard.Held{Target: p.plan.Active > 0 && s.target(p)&^p.held == 0}
	held.All = held.Target && (own|neighbour)&^p.held == 0
	p.planner.recordHeld(held)
	if p.write != nil {
		return
	}
	version := p.version
	if r, ok := p.planner.report(p.seen, held); ok {
		p.write = func() error {
			if s.data != nil {
				s.data[reportKey(number)] = r.String()
				s.version++
			}
			return nil
		}
	} else if t, ok := p.planner.propose(p.seen); ok {
		p.write = func() error {
			if s.version == version && s.data != nil {
				s.logf("%d writes %v", number, t)
				s.data[topologyKey] = t.String()
				s.version++
				s.writes++
			}
			return nil
		}
	}
	p.written = s.now.Add(s.randomUpTo(simLatency))
}

// objectsFor returns the objects that a replica holds by one table: its own and, with standby, those of
// its neighbour.
func (s *simulation) objectsFor(p *simPod, ordinal, total int) (own, neighbour objectSet) {
	if ordinal < 0 || ordinal >= total {
		return 0, 0
	}
	own = s.own[total][ordinal]
	if p.plan.Standby && total > 1 {
		neighbour = s.own[total][shard.Neighbour(ordinal, total)]
	}
	return own, neighbour
}

// target returns the objects that a replica's plan makes it hold for the target.
func (s *simulation) target(p *simPod) objectSet {
	own, neighbour := s.objectsFor(p, p.plan.Ordinal-p.plan.Shift, p.plan.Target)
	return own | neighbour
}

// settle loads the objects that the replica must hold, and serves those that it holds, as
// internal/replica does. It reports whether the replica holds more than before.
func (s *simulation) settle(number int, p *simPod) (more bool) {
	own, neighbour := s.objectsFor(p, p.plan.Ordinal, p.plan.Active)
	target := s.target(p)
	hold := own | neighbour | target | p.visible
	if !p.ready && p.visible == 0 && own&^p.held != 0 && p.plan.Grows() && target != 0 && (p.plan.TargetOnly || target&^p.held != 0) {
		hold = target
	}
	if p.held &= hold; hold != p.held && hold != p.loading {
		p.loading, p.loaded = hold, s.now.Add(s.randomUpTo(4*time.Second))
	}
	if s.memoryLimit > 0 && bits.OnesCount64(uint64(p.held|p.loading)) > s.memoryLimit {
		s.kill(number, p)
		return false
	}
	if p.loading != 0 && !s.now.Before(p.loaded) {
		p.held, p.loading, more = p.held|p.loading&hold, 0, true
	}
	goal := own
	if p.plan.ServedByStandby {
		goal = 0
	}
	if p.plan.ServesNeighbour {
		goal |= neighbour
	}
	if goal&^p.held == 0 {
		p.visible = goal
		p.ready = own != 0 && (p.ready || (own|neighbour)&^p.held == 0)
	}
	if own == 0 {
		p.ready = false
	}
	return more
}

// kill ends a process for lack of memory. The kubelet restarts it after a random delay.
func (s *simulation) kill(number int, p *simPod) {
	s.kills++
	killed := s.newProcess(p.planner.pod)
	killed.planner.oomKilled, killed.deleted = true, p.deleted
	killed.restarts = s.now.Add(s.randomUpTo(5 * time.Minute))
	s.pods[number] = killed
	s.version++
}

func (s *simulation) crash() {
	number := s.random.IntN(simMaxReplicas)
	if p := s.pods[number]; p != nil && p.deleted.IsZero() {
		s.logf("%d crashes", number)
		s.crashes++
		s.pods[number] = s.newProcess(p.planner.pod)
		s.version++
	}
}
