package fleet

import (
	"time"
)

// topology returns the topology that is in force now.
func (s *simulation) topology() topology { return s.recorded().at(s.now) }

// recorded returns the topology as it is written. Its active table is in force until the first clock
// reaches the time of the switch.
func (s *simulation) recorded() topology {
	if s.parsed.version != s.version {
		s.parsed.version = s.version
		s.parsed.topology, _ = parseTopology(s.data[topologyKey])
	}
	return s.parsed.topology
}

// owner returns the number of the pod that owns an object by the topology, or -1 if there is none.
func (s *simulation) owner(t topology, object int) int {
	if t.Active < 1 || t.Active > simMaxReplicas {
		return -1
	}
	for ordinal, own := range s.own[t.Active] {
		if own>>object&1 == 1 {
			return t.Start + ordinal
		}
	}
	return -1
}

// countSwitch counts switches and the objects that they moved.
func (s *simulation) countSwitch() {
	now := s.topology()
	if now.Active == 0 || now.active() == s.active.active() {
		return
	}
	if s.active.Active != 0 {
		s.switches++
		for h := range simObjects {
			if s.owner(now, h) != s.owner(s.active, h) {
				s.moved++
			}
		}
	}
	s.active = now
}

// serves reports whether a pod returns an exposition.
func (p *simPod) serves() bool { return p != nil && p.restarts.IsZero() && p.ready }

// expositions returns how many pods serve an object.
func (s *simulation) expositions(object int) (n int) {
	for _, p := range s.pods {
		if p.serves() && p.visible>>object&1 == 1 {
			n++
		}
	}
	return n
}

// coverage returns the fraction of the objects that are served.
func (s *simulation) coverage() float64 {
	served := 0
	for h := range simObjects {
		served += min(s.expositions(h), 1)
	}
	return float64(served) / simObjects
}

// audit records how long each object has not been served by exactly one pod.
func (s *simulation) audit() {
	if s.standby {
		s.auditStandby()
		return
	}
	down := func(t topology, object int) bool {
		owner := s.owner(t, object)
		return owner < 0 || owner >= simMaxReplicas || !s.pods[owner].serves()
	}
	recorded, active := s.recorded(), s.topology()
	for h := range simObjects {
		copies := s.expositions(h)
		if copies == 1 || copies == 0 && (down(recorded, h) || down(active, h)) {
			s.violatedSince[h] = time.Time{}
			continue
		}
		if s.violatedSince[h].IsZero() {
			s.violatedSince[h] = s.now
		}
		s.worst = max(s.worst, s.now.Sub(s.violatedSince[h]))
	}
}

// checkAtRest waits, and then checks that the fleet is in the desired state and that nothing changes any more.
func (s *simulation) checkAtRest(rest time.Duration) {
	s.advance(rest)
	before := s.version
	if s.advance(5 * time.Second); s.version != before {
		s.t.Errorf("the ConfigMap and the pods changed %d times in 5 s, want none at the end", s.version-before)
	}
	desired := s.desired.members()
	for number := range simMaxReplicas {
		p := s.pods[number]
		var own objectSet
		if desired.has(number) {
			own = s.own[desired.total][number-desired.start]
		}
		if (p != nil) != desired.has(number) || p != nil && (!p.ready || p.visible != own) {
			s.t.Errorf("%d replicas from %d are desired, and replica %d ends as %+v", desired.total, desired.start, number, p)
		}
	}
	if t := s.topology(); t.active() != desired || t.Target != 0 {
		s.t.Errorf("got topology %v at the end, want %+v active and no target", t, desired)
	}
}
