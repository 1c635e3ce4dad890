package shard

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	simTick   = 10 * time.Millisecond
	simMost   = 7 // replicas
	simHashes = 48
	// simLag and simLatency bound how late a replica hears of a write, and how long one takes.
	simLag     = 80 * time.Millisecond
	simLatency = 40 * time.Millisecond
	// simWindow is the longest that an object may be on two pages or on none: the one whose clock is ahead
	// changes over and writes it down, perhaps after a write that was under way, and the others hear of it.
	simWindow = 2*simLatency + simLag + 3*simTick
)

// simulation is a fleet in a world of random delays, clocks and crashes, in virtual time. Its replicas decide by the same
// mind as real ones.
type simulation struct {
	t       *testing.T
	random  *rand.Rand
	now     time.Time
	owner   [simMost + 1][simHashes]int // by table and hash
	version int
	data    map[string]string // nil: the object was deleted
	wanted  Wanted
	pods    [simMost]*simPod
	pod     int                  // pods so far
	broken  [simHashes]time.Time // since when it is not on one page
	worst   time.Duration

	standby bool // replicas stand by for one another; see standby_test.go
	log     []string
}

// simPod is a pod, and the replica in it.
type simPod struct {
	mind     mind
	skew     time.Duration
	seen     view // as it has heard of it
	version  int
	hears    time.Time // when it hears of what is newer
	acts     time.Time
	write    func() error
	written  time.Time
	plan     Plan
	ready    bool
	serves   int          // table
	held     map[int]bool // tables
	holds    time.Time    // when it holds all of its plan
	deleted  time.Time    // zero: not told to stop
	restarts time.Time    // zero: runs

	probed   time.Time // when the kubelet looks next
	reported bool      // the pod's condition Ready
	first    bool      // it runs for the first time, and was never reported ready
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	s := &simulation{t: t, random: rand.New(rand.NewPCG(seed, 0)), now: noon, data: map[string]string{}, wanted: wants(1 + int(seed)%simMost)}
	for n := 1; n <= simMost; n++ {
		table, err := NewTable(n)
		if err != nil {
			t.Fatal(err)
		}
		for h := range simHashes {
			s.owner[n][h] = table.Owner(Hash(fmt.Sprint("object", h)))
		}
	}
	return s
}

func (s *simulation) upTo(d time.Duration) time.Duration {
	return time.Duration(s.random.Int64N(int64(d)))
}

func (s *simulation) say(format string, args ...any) {
	s.log = append(s.log, s.now.Format("04:05.000 ")+fmt.Sprintf(format, args...))
}

func (s *simulation) scale(n int) {
	s.say("scale to %d", n)
	s.wanted.Total, s.wanted.Revision = n, s.wanted.Revision+1
	s.version++
}

// newPod is a pod that the StatefulSet's controller has made.
func (s *simulation) newPod() *simPod {
	s.pod++
	p := s.newProcess(types.UID(strconv.Itoa(s.pod)))
	p.first = true
	return p
}

// newProcess is another one in a pod.
func (s *simulation) newProcess(pod types.UID) *simPod {
	return &simPod{
		skew: s.upTo(6*time.Second) - 3*time.Second, held: map[int]bool{},
		mind: mind{incarnation: "x", pod: pod, patience: firstLook}, restarts: s.now.Add(s.upTo(3 * time.Second)),
	}
}

// tick moves time on by one step.
func (s *simulation) tick() {
	s.now = s.now.Add(simTick)
	for ordinal := range s.pods {
		switch p := s.pods[ordinal]; {
		case p == nil && ordinal < s.wanted.Total:
			s.pods[ordinal] = s.newPod()
		case p == nil:
		case !p.restarts.IsZero():
			if ordinal >= s.wanted.Total {
				s.pods[ordinal] = nil
			} else if s.now.After(p.restarts) {
				p.restarts, p.hears, p.version = time.Time{}, s.now, -1
			}
		default:
			if p.deleted.IsZero() && ordinal >= s.wanted.Total {
				p.deleted = s.now
				s.version++
			}
			s.run(ordinal, p)
			s.probe(p)
			if !p.deleted.IsZero() && (!s.needed(p) || s.now.Sub(p.deleted) > 90*time.Second) && s.now.Sub(p.deleted) > simLag {
				s.say("%d ends", ordinal)
				s.pods[ordinal] = nil
				s.version++
			}
		}
	}
	s.audit()
}

// needed is what the Coordinator's status says.
func (s *simulation) needed(p *simPod) bool {
	return Status{
		Ordinal: p.seen.wanted.Ordinal, Wanted: p.seen.wanted.Total, Coordinated: p.seen.usable && !p.mind.alone,
		recorded: max(p.mind.last.Active, p.mind.last.Target),
		Standby:  p.plan.Standby, relieved: p.mind.relieved(p.seen),
	}.needed()
}

// run is one moment of a replica's life.
func (s *simulation) run(ordinal int, p *simPod) {
	if p.version != s.version && s.now.After(p.hears) {
		if p.version = s.version; p.hears.Before(s.now) {
			p.hears = s.now.Add(s.upTo(simLag)) // of the next one
		}
		p.seen = view{wanted: s.wanted, known: true, usable: s.data != nil, absent: s.data == nil, data: maps.Clone(s.data)}
		p.seen.wanted.Ordinal = ordinal
		p.seen.standby, p.seen.peers = s.standby, s.peers()
		p.acts = s.now
	}
	if p.write != nil && s.now.After(p.written) {
		_ = p.write() // the one who loses looks again
		p.write = nil
	}
	due := p.mind.last.SwitchAt
	p.seen.now = s.now.Add(p.skew)
	if s.now.Before(p.acts) && (due.IsZero() || p.seen.now.Before(due)) {
		return
	}
	p.acts = s.now.Add(look)
	p.mind.look(p.seen)
	if p.mind.plan != p.plan {
		s.follow(p)
	}
	s.settle(ordinal, p)
	s.decide(ordinal, p)
}

func (s *simulation) decide(ordinal int, p *simPod) {
	if p.write != nil {
		return
	}
	version := p.version
	if r, ok := p.mind.report(p.seen, !s.now.Before(p.holds)); ok {
		p.write = func() error {
			if s.data != nil {
				s.data[reportKey(ordinal)] = r.String()
				s.version++
			}
			return nil
		}
	} else if t, ok := p.mind.propose(p.seen); ok {
		p.write = func() error {
			if s.version == version && s.data != nil {
				s.say("%d writes %v", ordinal, t)
				s.data[topologyKey] = t.String()
				s.version++
			}
			return nil
		}
	}
	p.written = s.now.Add(s.upTo(simLatency))
}

// follow takes over a plan, as a replica does.
func (s *simulation) follow(p *simPod) {
	p.plan = p.mind.plan
	if !p.held[p.plan.Active] || !p.held[p.plan.Target] {
		p.holds = s.now.Add(s.upTo(4 * time.Second))
	}
}

// settle changes what is served to what the plan says, if it is held.
func (s *simulation) settle(ordinal int, p *simPod) {
	if !s.now.Before(p.holds) && p.plan.Active > 0 {
		p.held = map[int]bool{p.plan.Active: true, p.plan.Target: true}
	}
	if p.held[p.plan.Active] || p.plan.Active <= ordinal {
		p.serves, p.ready = p.plan.Active, p.plan.Active > ordinal
	}
}

// audit counts on how many pages each object is.
func (s *simulation) audit() {
	if s.standby {
		s.auditStandby()
		return
	}
	var active Topology
	if t, err := ParseTopology(s.data[topologyKey]); err == nil {
		active = t.At(s.now)
	}
	for h := range simHashes {
		pages := 0
		for ordinal, p := range s.pods {
			if p != nil && p.restarts.IsZero() && p.ready && s.owner[p.serves][h] == ordinal {
				pages++
			}
		}
		owner := s.pods[s.owner[active.Active][h]]
		down := active.Active == 0 || owner == nil || !owner.ready || !owner.restarts.IsZero()
		if pages == 1 || pages == 0 && down {
			s.broken[h] = time.Time{}
			continue
		}
		if s.broken[h].IsZero() {
			s.broken[h] = s.now
		}
		s.worst = max(s.worst, s.now.Sub(s.broken[h]))
	}
}

// atEnd waits for rest and holds the fleet to what is wanted.
func (s *simulation) atEnd(rest time.Duration) {
	for range rest / simTick {
		s.tick()
	}
	for ordinal := range simMost {
		p := s.pods[ordinal]
		if (p != nil) != (ordinal < s.wanted.Total) || p != nil && (!p.ready || p.serves != s.wanted.Total) {
			s.t.Errorf("of %d, replica %d ends as %+v", s.wanted.Total, ordinal, p)
		}
	}
	if t, err := ParseTopology(s.data[topologyKey]); err != nil || t.Active != s.wanted.Total || t.Target != 0 {
		s.t.Errorf("%d are wanted, and the topology ends as %v, %v", s.wanted.Total, t, err)
	}
}

func (s *simulation) crash() {
	ordinal := s.random.IntN(simMost)
	if p := s.pods[ordinal]; p != nil && p.deleted.IsZero() {
		s.say("%d crashes", ordinal)
		s.pods[ordinal] = s.newProcess(p.mind.pod)
		s.version++
	}
}

// TestEveryObjectIsOnOnePageThroughRandomChanges changes the target at random moments, also half-way through a change, with
// clocks that differ by up to six seconds and replicas that crash.
func TestEveryObjectIsOnOnePageThroughRandomChanges(t *testing.T) {
	var worst time.Duration
	for seed := range uint64(simRuns()) {
		s := newSimulation(t, seed)
		for range 12 {
			for range (500*time.Millisecond + s.upTo(12*time.Second)) / simTick {
				s.tick()
			}
			if s.random.IntN(4) == 0 {
				s.crash()
			} else {
				s.scale(1 + s.random.IntN(simMost))
			}
		}
		s.atEnd(time.Minute)
		worst = max(worst, s.worst)
		if s.worst > simWindow {
			t.Errorf("an object was on two pages, or on none, for %s", s.worst)
		}
		if t.Failed() {
			for _, line := range s.log {
				t.Log(line)
			}
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("worst %s in %d runs, %s allowed", worst, simRuns(), simWindow)
}

// TestFleetRecoversFromWhateverIsDoneToItsTopology deletes, empties, garbles and edits the object at random moments.
func TestFleetRecoversFromWhateverIsDoneToItsTopology(t *testing.T) {
	for seed := range uint64(simRuns()) {
		s := newSimulation(t, seed)
		for range 12 {
			for range s.upTo(8*time.Second) / simTick {
				s.tick()
			}
			s.meddle()
			if s.random.IntN(2) == 0 {
				s.scale(1 + s.random.IntN(simMost))
			}
		}
		if s.data == nil {
			s.data = map[string]string{}
			s.version++
		}
		s.atEnd(oldNews + 2*time.Minute) // an edited revision is believed for a while
		if t.Failed() {
			for _, line := range s.log {
				t.Log(line)
			}
			t.Fatalf("seed %d", seed)
		}
	}
}

func (s *simulation) meddle() {
	s.version++
	if s.data == nil {
		s.say("object made anew")
		s.data = map[string]string{}
		return
	}
	switch s.random.IntN(5) {
	case 0:
		s.say("object deleted")
		s.data = nil
	case 1:
		s.say("object emptied")
		s.data = map[string]string{}
	case 2:
		s.say("topology garbled")
		s.data[topologyKey] = `{"active":`
	case 3:
		edited := Topology{Generation: s.random.Int64N(20), Active: s.random.IntN(simMost + 1), Target: s.random.IntN(simMost + 1), Revision: s.random.Int64N(40), Set: "u"}
		if s.random.IntN(2) == 0 {
			edited.SwitchAt = s.now.Add(s.upTo(time.Hour) - 30*time.Minute)
		}
		s.say("topology edited: %v", edited)
		s.data[topologyKey] = edited.String()
	case 4:
		s.say("reports forged")
		for ordinal := range simMost {
			s.data[reportKey(ordinal)] = Report{Generation: 1 << 60, Target: 3, Holds: true}.String()
		}
	}
}

func simRuns() int {
	if testing.Short() {
		return 3
	}
	return 10
}
