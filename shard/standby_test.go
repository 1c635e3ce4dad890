package shard

import (
	"testing"
	"time"
)

const (
	simProbe = time.Second // the longest between two looks of the kubelet
	// What one replica takes over and another gives up is by the same change of a pod, of which they hear at
	// different times.
	simDoubled = overlap + simLag + 2*look + 3*simTick
	// What nobody serves any more is served when that is heard of. A switch may come on top.
	simMissing = simLag + look + 3*simTick + simWindow
)

// probe is the kubelet: it reports a replica ready some time after it is.
func (s *simulation) probe(p *simPod) {
	if p.probed.IsZero() {
		p.probed = s.now.Add(s.upTo(simProbe))
	}
	if s.now.Before(p.probed) {
		return
	}
	p.probed = time.Time{}
	if ready := p.ready; ready != p.reported {
		p.reported, p.first = ready, p.first && !ready
		s.version++
	}
}

func (s *simulation) peers() peers {
	all := peers{}
	for ordinal, p := range s.pods {
		if p != nil {
			all[ordinal] = peer{uid: p.mind.pod, ready: p.reported, first: p.first && p.restarts.IsZero(), leaving: !p.deleted.IsZero()}
		}
	}
	return all
}

// pages counts the pages that an object is on.
func (s *simulation) pages(h int) (n int) {
	for ordinal, p := range s.pods {
		if p == nil || !p.restarts.IsZero() || !p.ready {
			continue
		}
		switch owner := s.owner[p.serves][h]; {
		case owner == ordinal && !p.plan.Covered, p.plan.Covers && owner == before(ordinal, p.serves):
			n++
		}
	}
	return n
}

// prepared reports whether it is written down that the replica of an ordinal holds its part.
func (s *simulation) prepared(ordinal int) bool {
	r, ok := parseReport(s.data, ordinal)
	return ok && r.Holds && r.Pod == s.pods[ordinal].mind.pod
}

// servable reports whether the replica of an ordinal, or the one that stands by for it, is able to serve.
func (s *simulation) servable(ordinal, total int) bool {
	owner, other := s.pods[ordinal], s.pods[(ordinal+1)%total]
	able := func(p *simPod) bool { return p != nil && p.restarts.IsZero() && p.ready }
	return able(owner) || total > 1 && able(other) && (other.reported || other.first && s.prepared((ordinal+1)%total)) && other.deleted.IsZero()
}

func (s *simulation) auditStandby() {
	var active Topology
	if t, err := ParseTopology(s.data[topologyKey]); err == nil {
		active = t.At(s.now)
	}
	for h := range simHashes {
		pages := s.pages(h)
		excused := pages == 0 && (active.Active == 0 || !s.servable(s.owner[active.Active][h], active.Active))
		if pages == 1 || excused {
			s.broken[h] = time.Time{}
			continue
		}
		if s.broken[h].IsZero() {
			s.broken[h] = s.now
		}
		limit := max(simDoubled, simWindow)
		if pages == 0 {
			limit = simMissing
		}
		since := s.now.Sub(s.broken[h])
		if s.worst = max(s.worst, since); since > limit {
			s.t.Errorf("object %d is on %d pages for %s at %s", h, pages, since, s.now.Format("04:05.000"))
		}
	}
}

// roll replaces one pod after the other, as the StatefulSet controller does.
func (s *simulation) roll() {
	for ordinal := s.wanted.Total - 1; ordinal >= 0; ordinal-- {
		p := s.pods[ordinal]
		if p == nil {
			continue
		}
		s.say("%d is replaced", ordinal)
		if p.restarts.IsZero() {
			p.deleted = s.now
			s.version++
		}
		for wait := 0; wait < int(2*time.Minute/simTick); wait++ {
			s.tick()
			if now := s.pods[ordinal]; now != nil && now != p && now.reported {
				break
			}
		}
	}
}

// TestStandbyThroughRandomChanges crashes, replaces and adds replicas at random moments.
func TestStandbyThroughRandomChanges(t *testing.T) {
	for seed := range uint64(simRuns()) {
		s := newSimulation(t, seed)
		s.standby = true
		for range 10 {
			for range (500*time.Millisecond + s.upTo(12*time.Second)) / simTick {
				s.tick()
			}
			switch s.random.IntN(5) {
			case 0, 1:
				s.crash()
			case 2:
				s.roll()
			default:
				s.scale(1 + s.random.IntN(simMost))
			}
		}
		s.atEnd(time.Minute)
		for ordinal := range s.wanted.Total {
			if p := s.pods[ordinal].plan; p.Covers || p.Covered {
				t.Errorf("replica %d ends as %+v, and all are ready", ordinal, p)
			}
		}
		if t.Failed() {
			for _, line := range s.log {
				t.Log(line)
			}
			t.Fatalf("seed %d", seed)
		}
		t.Logf("worst %s", s.worst)
	}
}

// A fleet at rest of which one replica after the other crashes, or is replaced, loses nothing for long.
func TestNothingIsMissingWhileOneIsAway(t *testing.T) {
	for total := 2; total <= 4; total++ {
		s := newSimulation(t, uint64(total))
		s.standby = true
		s.scale(total)
		for range 30 * time.Second / simTick {
			s.tick()
		}
		for ordinal := range total {
			s.say("%d crashes", ordinal)
			s.pods[ordinal] = s.newProcess(s.pods[ordinal].mind.pod)
			s.version++
			for range 20 * time.Second / simTick {
				s.tick()
			}
		}
		s.roll()
		s.atEnd(time.Minute)
		t.Logf("%d replicas: worst %s", total, s.worst)
		if t.Failed() {
			t.Fatal(s.log)
		}
	}
}

func TestDuty(t *testing.T) {
	ready, unready, leaving := peer{ready: true}, peer{}, peer{ready: true, leaving: true}
	for name, c := range map[string]struct {
		peers           []peer // of three
		covers, covered bool   // replica 1
	}{
		"all are up":                     {peers: []peer{ready, ready, ready}},
		"the neighbour is not ready":     {peers: []peer{unready, ready, ready}, covers: true},
		"the neighbour is being deleted": {peers: []peer{leaving, ready, ready}, covers: true},
		"it is not ready itself":         {peers: []peer{ready, unready, ready}, covered: true},
		"it is being deleted":            {peers: []peer{ready, leaving, ready}, covered: true},
		"nor is the one that stands by":  {peers: []peer{ready, unready, unready}},
		"nobody is ready":                {peers: []peer{unready, unready, unready}},
		"the neighbour and itself":       {peers: []peer{unready, unready, ready}, covered: true},
		"only itself":                    {peers: []peer{unready, ready, unready}, covers: true},
	} {
		t.Run(name, func(t *testing.T) {
			all := peers{}
			for ordinal, p := range c.peers {
				all[ordinal] = p
			}
			m := mind{incarnation: "x"}
			w := wants(3)
			w.Ordinal = 1
			v := view{wanted: w, known: true, standby: true, peers: all, now: noon}
			m.look(v)
			v.now = v.now.Add(overlap)
			m.look(v)
			if p := m.plan; !p.Standby || p.Covers != c.covers || p.Covered != c.covered {
				t.Errorf("plan %+v", p)
			}
		})
	}
}

// A replica that is new serves from the switch on, whether or not its pod has been probed since.
func TestNewReplicaServesFromTheSwitch(t *testing.T) {
	grown := Topology{Generation: 5, Active: 3, Set: "u", Revision: 7}
	report := func(r Report) map[string]string {
		return map[string]string{topologyKey: grown.String(), reportKey(2): r.String()}
	}
	holds := Report{Generation: 5, Target: 3, Holds: true, Pod: "new"}
	for name, c := range map[string]struct {
		report Report
		peer   peer
		itself bool
	}{
		"it holds its part":              {report: holds, peer: peer{uid: "new", first: true}, itself: true},
		"it has held it for longer":      {report: Report{Generation: 4, Target: 9, Holds: true, Pod: "new"}, peer: peer{uid: "new", first: true}, itself: true},
		"it has not said so":             {peer: peer{uid: "new", first: true}},
		"it holds nothing any more":      {report: Report{Generation: 5, Target: 3, Pod: "new"}, peer: peer{uid: "new", first: true}},
		"another pod had its name":       {report: holds, peer: peer{uid: "newer", first: true}},
		"its pod cannot be told":         {report: Report{Generation: 5, Target: 3, Holds: true}, peer: peer{first: true}},
		"it has been ready, or restarts": {report: holds, peer: peer{uid: "new"}},
		"it is being deleted":            {report: holds, peer: peer{uid: "new", first: true, leaving: true}},
	} {
		t.Run(name, func(t *testing.T) {
			all := peers{0: {ready: true}, 1: {ready: true}, 2: c.peer}
			for ordinal, want := range []Plan{{Covers: !c.itself}, {}, {Covered: !c.itself}} {
				m := mind{incarnation: "x"}
				w := wants(3)
				w.Ordinal = ordinal
				m.look(view{wanted: w, known: true, usable: true, data: report(c.report), standby: true, peers: all, now: noon})
				if p := m.plan; p.Covers != want.Covers || p.Covered != want.Covered {
					t.Errorf("replica %d: plan %+v", ordinal, p)
				}
			}
		})
	}
}

func TestGivingUpComesAMomentAfterTakingOver(t *testing.T) {
	m := mind{incarnation: "x"}
	w := wants(2)
	v := view{wanted: w, known: true, standby: true, peers: peers{0: {ready: true}, 1: {}}, now: noon}
	at := func(after time.Duration, covers bool) {
		t.Helper()
		v.now = noon.Add(after)
		if m.look(v); m.plan.Covers != covers {
			t.Errorf("after %s: covers %t", after, m.plan.Covers)
		}
	}
	at(0, true)
	v.peers = peers{0: {ready: true}, 1: {ready: true}}
	at(time.Second, true)
	at(time.Second+overlap-1, true)
	at(time.Second+overlap, false)
	v.peers = peers{0: {ready: true}}
	at(2*time.Second, true)
}

func TestNoPlanBeforeThePodsAreKnown(t *testing.T) {
	m := mind{incarnation: "x"}
	v := view{wanted: wants(2), known: true, standby: true, now: noon}
	if m.look(v); m.plan.Active != 0 {
		t.Errorf("plan %+v", m.plan)
	}
	v.standby = false // they may not be read
	if m.look(v); m.plan.Active != 2 || m.plan.Standby {
		t.Errorf("plan %+v", m.plan)
	}
}
