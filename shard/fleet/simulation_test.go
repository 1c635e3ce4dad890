package fleet

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/shard"
)

const (
	simTick        = 10 * time.Millisecond
	simMaxReplicas = 7  // replicas
	simObjects     = 48 // one bit each
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
	own     [simMaxReplicas + 1][simMaxReplicas]objects // by table and ordinal
	version int
	data    map[string]string // nil: the object was deleted
	parsed  struct {          // of data
		topology
		version int
	}
	desired       desiredState
	pods          [simMaxReplicas]*simPod
	pod           int                   // pods so far
	violatedSince [simObjects]time.Time // since when it is not on one page
	worst         time.Duration
	memoryLimit   int // objects that a replica has memory for; 0: any number

	standby bool // replicas stand by for one another; see standby_test.go
	log     []string

	// What was exercised.
	active    topology // that was served by last
	switches  int      // of the table
	moved     int      // objects that had another owner afterwards
	takeovers int      // times that a replica began to serve its neighbour's shard
	crashes   int
	kills     int // for lack of memory
}

// simPod is a pod, and the replica in it.
type simPod struct {
	planner     planner
	skew        time.Duration
	seen        snapshot // as it has heard of it
	version     int
	nextEvent   time.Time // when it hears of what is newer
	asked       time.Time // when it reads the StatefulSet past its watch; zero: it does not
	write       func() error
	written     time.Time
	plan        shard.Plan
	ready       bool
	visible     objects
	held        objects // held completely
	loading     objects
	loaded      time.Time // when that is complete
	deleted     time.Time // zero: not told to stop
	restarts    time.Time // zero: runs
	silentWatch bool      // its watch of the StatefulSet brings nothing

	probed     time.Time // when the kubelet looks next
	reported   bool      // the pod's condition Ready
	neverReady bool      // it runs for the first time, and was never reported ready
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	s := &simulation{t: t, random: rand.New(rand.NewPCG(seed, 0)), now: noon, data: map[string]string{}, desired: desiredReplicas(1 + int(seed)%simMaxReplicas)}
	for n := 1; n <= simMaxReplicas; n++ {
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

func (s *simulation) randomUpTo(d time.Duration) time.Duration {
	return time.Duration(s.random.Int64N(int64(d)))
}

func (s *simulation) logf(format string, args ...any) {
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
	s.logf("scale to %d", n)
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
		skew:    s.randomUpTo(6*time.Second) - 3*time.Second,
		planner: planner{incarnation: "x", pod: pod}, restarts: s.now.Add(s.randomUpTo(3 * time.Second)),
	}
}

// pass lets time go by.
func (s *simulation) advance(d time.Duration) {
	for range d / simTick {
		s.tick()
	}
}

// begin lets a new fleet come to rest: until it serves for the first time, nothing can be missing.
func (s *simulation) startUp() {
	s.advance(30 * time.Second)
	if s.coverage() != 1 {
		s.fatal("a fleet of %d begins with coverage %.2f and %v", s.desired.Total, s.coverage(), s.topology())
	}
	clear(s.violatedSince[:])
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
				p.restarts, p.nextEvent, p.version = time.Time{}, s.now, -1
			}
		default:
			if p.deleted.IsZero() && !desired.has(number) {
				s.remove(number)
			}
			s.run(number, p)
			s.probe(p)
			if ended := s.now.Sub(p.deleted); !p.deleted.IsZero() && (!s.needed(p) || ended > simGrace) && ended > simLag {
				s.logf("%d ends", number)
				s.pods[number] = nil
				s.version++
			}
		}
	}
	s.countSwitch()
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
