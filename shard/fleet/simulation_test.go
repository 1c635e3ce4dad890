package fleet

import (
	"fmt"
	"maps"
	"math/bits"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/shard"
)

const (
	simTick    = 10 * time.Millisecond
	simMost    = 7  // replicas
	simObjects = 48 // one bit each
	// simLag and simLatency bound how late a replica hears of a write, and how long one takes.
	simLag     = 80 * time.Millisecond
	simLatency = 40 * time.Millisecond
	// simWindow is the longest that an object may be on two pages or on none: the one whose clock is ahead
	// changes over and writes it down, perhaps after a write that was under way, and the others hear of it.
	simWindow = 2*simLatency + simLag + 4*simTick
	// simGrace is how long a pod may go on after it was told to stop.
	simGrace = 90 * time.Second
)

// objects is a set of the simulation's objects.
type objects uint64

// simulation is a fleet in a world of random delays, clocks and crashes, in virtual time. Its replicas decide by the same
// planner as real ones.
type simulation struct {
	t       *testing.T
	random  *rand.Rand
	now     time.Time
	own     [simMost + 1][simMost]objects // by table and ordinal
	version int
	data    map[string]string // nil: the object was deleted
	parsed  struct {          // of data
		topology
		version int
	}
	desired desiredState
	pods    [simMost]*simPod
	pod     int                   // pods so far
	broken  [simObjects]time.Time // since when it is not on one page
	worst   time.Duration
	room    int // objects that a replica has memory for; 0: any number

	standby bool // replicas stand by for one another; see standby_test.go
	log     []string

	// What was exercised.
	active   topology // that was served by last
	switches int      // of the table
	moved    int      // objects that had another owner afterwards
	standIns int      // times that a replica began to serve its neighbour's shard
	crashes  int
	kills    int // for lack of memory
}

// simPod is a pod, and the replica in it.
type simPod struct {
	planner  planner
	skew     time.Duration
	seen     snapshot // as it has heard of it
	version  int
	hears    time.Time // when it hears of what is newer
	asked    time.Time // when it reads the StatefulSet past its watch; zero: it does not
	write    func() error
	written  time.Time
	plan     shard.Plan
	ready    bool
	shown    objects
	whole    objects // held completely
	loading  objects
	loaded   time.Time // when that is complete
	deleted  time.Time // zero: not told to stop
	restarts time.Time // zero: runs
	deaf     bool      // its watch of the StatefulSet brings nothing

	probed     time.Time // when the kubelet looks next
	reported   bool      // the pod's condition Ready
	neverReady bool      // it runs for the first time, and was never reported ready
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	s := &simulation{t: t, random: rand.New(rand.NewPCG(seed, 0)), now: noon, data: map[string]string{}, desired: desiredReplicas(1 + int(seed)%simMost)}
	for n := 1; n <= simMost; n++ {
		table, err := shard.NewTable(n)
		if err != nil {
			t.Fatal(err)
		}
		for h := range simObjects {
			// Spread over the ring, as the hashes of UIDs are.
			s.own[n][table.Owner(uint64(h)*(^uint64(0)/simObjects)+12345)] |= 1 << h
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

// fatal ends the test with what has happened.
func (s *simulation) fatal(format string, args ...any) {
	s.t.Helper()
	for _, line := range s.log {
		s.t.Log(line)
	}
	s.t.Fatalf(format, args...)
}

func (s *simulation) scale(n int) {
	s.say("scale to %d", n)
	s.desired.Total, s.desired.Revision = n, s.desired.Revision+1
	s.version++
}

// newPod is a pod that the StatefulSet's controller has made.
func (s *simulation) newPod() *simPod {
	s.pod++
	p := s.newProcess(types.UID(strconv.Itoa(s.pod)))
	p.neverReady = true
	return p
}

// newProcess is another one in a pod.
func (s *simulation) newProcess(pod types.UID) *simPod {
	return &simPod{
		skew:    s.upTo(6*time.Second) - 3*time.Second,
		planner: planner{incarnation: "x", pod: pod}, restarts: s.now.Add(s.upTo(3 * time.Second)),
	}
}

// pass lets time go by.
func (s *simulation) pass(d time.Duration) {
	for range d / simTick {
		s.tick()
	}
}

// begin lets a new fleet come to rest: until it serves for the first time, nothing can be missing.
func (s *simulation) begin() {
	s.pass(30 * time.Second)
	if s.coverage() != 1 {
		s.fatal("a fleet of %d begins with coverage %.2f and %v", s.desired.Total, s.coverage(), s.topology())
	}
	clear(s.broken[:])
	s.worst = 0
}

// tick moves time on by one step.
func (s *simulation) tick() {
	s.now = s.now.Add(simTick)
	desired := s.desired.members()
	for number := range s.pods {
		switch p := s.pods[number]; {
		case p == nil && desired.has(number):
			s.pods[number] = s.newPod()
		case p == nil:
		case !p.restarts.IsZero():
			if !desired.has(number) {
				s.pods[number] = nil
			} else if s.now.After(p.restarts) {
				p.restarts, p.hears, p.version = time.Time{}, s.now, -1
			}
		default:
			if p.deleted.IsZero() && !desired.has(number) {
				s.remove(number)
			}
			s.run(number, p)
			s.probe(p)
			if ended := s.now.Sub(p.deleted); !p.deleted.IsZero() && (!s.needed(p) || ended > simGrace) && ended > simLag {
				s.say("%d ends", number)
				s.pods[number] = nil
				s.version++
			}
		}
	}
	s.note()
	s.audit()
}

// remove deletes a pod: it is told to stop.
func (s *simulation) remove(number int) {
	s.pods[number].deleted = s.now
	s.version++
}

// needed is what the Coordinator's status says.
func (s *simulation) needed(p *simPod) bool {
	pl := &p.planner
	return Status{
		leaves:  p.seen.usable && !pl.uncoordinated && pl.leaving && pl.isMember(p.seen),
		Standby: p.plan.Standby, canStop: pl.canStop(p.seen),
	}.mustKeepServing()
}

// run is one moment of a replica's life.
func (s *simulation) run(number int, p *simPod) {
	looks := s.hear(number, p)
	if p.write != nil && s.now.After(p.written) {
		_ = p.write() // the one who loses looks again
		p.write, looks = nil, true
	}
	if p.plan != (shard.Plan{}) && s.settle(number, p) {
		looks = true
	}
	if s.pods[number] != p { // killed
		return
	}
	p.seen.now = s.now.Add(p.skew)
	if wake := p.planner.wakeAt; !looks && (wake.IsZero() || p.seen.now.Before(wake)) {
		return
	}
	covers := p.plan.ServesNeighbour
	p.planner.update(p.seen)
	if p.plan = p.planner.plan; p.plan.ServesNeighbour && !covers {
		s.standIns++
	}
	s.settle(number, p)
	if s.pods[number] == p {
		s.decide(number, p)
	}
}

// hear takes over what has changed, and reports whether something has.
func (s *simulation) hear(number int, p *simPod) (news bool) {
	if doubt := !p.planner.staleSince.IsZero(); doubt && p.asked.IsZero() {
		p.asked = s.now.Add(s.upTo(simLatency) + simTick)
	}
	read := !p.asked.IsZero() && s.now.After(p.asked)
	if read || p.version != s.version && s.now.After(p.hears) {
		if p.version = s.version; p.hears.Before(s.now) {
			p.hears = s.now.Add(s.upTo(simLag)) // of the next one
		}
		seen := snapshot{known: true, usable: s.data != nil, absent: s.data == nil, contents: parseContents(maps.Clone(s.data))}
		seen.desired, seen.desiredAsOf = p.seen.desired, p.seen.desiredAsOf
		if read || !p.deaf || p.seen.desired.Total == 0 {
			seen.desired = s.desired
			seen.desired.Ordinal = number - s.desired.Start
		}
		if read {
			p.asked, seen.desiredAsOf = time.Time{}, s.now.Add(p.skew)
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
	own, neighbour := s.by(p, p.plan.Ordinal, p.plan.Active)
	held := shard.Held{Next: p.plan.Active > 0 && s.next(p)&^p.whole == 0}
	held.All = held.Next && (own|neighbour)&^p.whole == 0
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
				s.say("%d writes %v", number, t)
				s.data[topologyKey] = t.String()
				s.version++
			}
			return nil
		}
	}
	p.written = s.now.Add(s.upTo(simLatency))
}

// by is what a replica holds by one table: its own objects and, with standby, its neighbour's.
func (s *simulation) by(p *simPod, ordinal, total int) (own, neighbour objects) {
	if ordinal < 0 || ordinal >= total {
		return 0, 0
	}
	own = s.own[total][ordinal]
	if p.plan.Standby && total > 1 {
		neighbour = s.own[total][shard.Neighbour(ordinal, total)]
	}
	return own, neighbour
}

// next is what the plan has a replica hold for the target.
func (s *simulation) next(p *simPod) objects {
	own, neighbour := s.by(p, p.plan.Ordinal-p.plan.Shift, p.plan.Target)
	return own | neighbour
}

// settle loads what is to be held and shows what is to be served, as a replica does. It reports whether it holds more than
// before.
func (s *simulation) settle(number int, p *simPod) (more bool) {
	own, neighbour := s.by(p, p.plan.Ordinal, p.plan.Active)
	next := s.next(p)
	hold := own | neighbour | next | p.shown
	if !p.ready && p.shown == 0 && own&^p.whole != 0 && p.plan.Grows() && next != 0 && (p.plan.NextOnly || next&^p.whole != 0) {
		hold = next
	}
	if p.whole &= hold; hold != p.whole && hold != p.loading {
		p.loading, p.loaded = hold, s.now.Add(s.upTo(4*time.Second))
	}
	if s.room > 0 && bits.OnesCount64(uint64(p.whole|p.loading)) > s.room {
		s.kill(number, p)
		return false
	}
	if p.loading != 0 && !s.now.Before(p.loaded) {
		p.whole, p.loading, more = p.whole|p.loading&hold, 0, true
	}
	goal := own
	if p.plan.ServedByStandby {
		goal = 0
	}
	if p.plan.ServesNeighbour {
		goal |= neighbour
	}
	if goal&^p.whole == 0 {
		p.shown = goal
		p.ready = own != 0 && (p.ready || own&^p.whole == 0)
	}
	if own == 0 {
		p.ready = false
	}
	return more
}

// kill ends a process for lack of memory. It starts again later and later.
func (s *simulation) kill(number int, p *simPod) {
	s.kills++
	killed := s.newProcess(p.planner.pod)
	killed.planner.oomKilled, killed.deleted = true, p.deleted
	killed.restarts = s.now.Add(s.upTo(5 * time.Minute))
	s.pods[number] = killed
	s.version++
}

func (s *simulation) crash() {
	number := s.random.IntN(simMost)
	if p := s.pods[number]; p != nil && p.deleted.IsZero() {
		s.say("%d crashes", number)
		s.crashes++
		s.pods[number] = s.newProcess(p.planner.pod)
		s.version++
	}
}

// topology is the one that counts now.
func (s *simulation) topology() topology { return s.recorded().at(s.now) }

// recorded is the topology as it is written. It counts until a switch is made, by whichever clock says first that it is
// time.
func (s *simulation) recorded() topology {
	if s.parsed.version != s.version {
		s.parsed.version = s.version
		s.parsed.topology, _ = parseTopology(s.data[topologyKey])
	}
	return s.parsed.topology
}

// owner is the number of the pod that has an object by the topology; -1: none.
func (s *simulation) owner(t topology, object int) int {
	if t.Active < 1 || t.Active > simMost {
		return -1
	}
	for ordinal, own := range s.own[t.Active] {
		if own>>object&1 == 1 {
			return t.Start + ordinal
		}
	}
	return -1
}

// note counts what is exercised.
func (s *simulation) note() {
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

// serves reports whether a pod shows a page.
func (p *simPod) serves() bool { return p != nil && p.restarts.IsZero() && p.ready }

// pages counts the pages that an object is on.
func (s *simulation) pages(object int) (n int) {
	for _, p := range s.pods {
		if p.serves() && p.shown>>object&1 == 1 {
			n++
		}
	}
	return n
}

// coverage is the share of the objects that are on a page.
func (s *simulation) coverage() float64 {
	on := 0
	for h := range simObjects {
		on += min(s.pages(h), 1)
	}
	return float64(on) / simObjects
}

// audit counts on how many pages each object is.
func (s *simulation) audit() {
	if s.standby {
		s.auditStandby()
		return
	}
	down := func(t topology, object int) bool {
		owner := s.owner(t, object)
		return owner < 0 || owner >= simMost || !s.pods[owner].serves()
	}
	recorded, active := s.recorded(), s.topology()
	for h := range simObjects {
		pages := s.pages(h)
		if pages == 1 || pages == 0 && (down(recorded, h) || down(active, h)) {
			s.broken[h] = time.Time{}
			continue
		}
		if s.broken[h].IsZero() {
			s.broken[h] = s.now
		}
		s.worst = max(s.worst, s.now.Sub(s.broken[h]))
	}
}

// atEnd waits for rest and holds the fleet to what is desired.
func (s *simulation) atEnd(rest time.Duration) {
	s.pass(rest)
	desired := s.desired.members()
	for number := range simMost {
		p := s.pods[number]
		var own objects
		if desired.has(number) {
			own = s.own[desired.total][number-desired.start]
		}
		if (p != nil) != desired.has(number) || p != nil && (!p.ready || p.shown != own) {
			s.t.Errorf("of %d from %d, replica %d ends as %+v", desired.total, desired.start, number, p)
		}
	}
	if t := s.topology(); t.active() != desired || t.Target != 0 {
		s.t.Errorf("%+v are desired, and the topology ends as %v", desired, t)
	}
}
