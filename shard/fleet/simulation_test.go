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
	simMaxReplicas = 7
	simObjects     = 48 // one bit each
	// simLag and simLatency are the longest delays of an event and of a write.
	simLag     = 80 * time.Millisecond
	simLatency = 40 * time.Millisecond
	// simWindow is the longest time that an object may be in two expositions or in none. The
	// replica whose clock is ahead switches and writes the new topology, perhaps after another
	// write, and the others receive it.
	simWindow = 2*simLatency + simLag + 4*simTick
	// simGrace is the termination grace period of a pod.
	simGrace = 90 * time.Second
)

// objectSet is a set of the simulation's objects.
type objectSet uint64

// simulation is a fleet with random delays, clocks and crashes, in virtual time. Its replicas use
// the real planner.
type simulation struct {
	t       *testing.T
	random  *rand.Rand
	now     time.Time
	own     [simMaxReplicas + 1][simMaxReplicas]objectSet // by number of replicas and ordinal
	version int
	data    map[string]string // nil: the object was deleted
	parsed  struct {          // of data
		topology
		version int
	}
	desired       desiredState
	pods          [simMaxReplicas]*simPod
	pod           int                   // number of pods so far
	violatedSince [simObjects]time.Time // since when the object is not in exactly one exposition
	worst         time.Duration
	memoryLimit   int // in objects per replica; 0: none

	standby bool // see standby_test.go
	log     []string

	// Counters for simCounts.
	active    topology // topology of the last switch
	writes    int      // of a topology
	switches  int      // of the table
	moved     int      // objects whose owner changed in a switch
	takeovers int      // times that a replica began to serve its neighbour's shard
	crashes   int
	kills     int // for lack of memory
}

// simPod is a pod and the replica in it.
type simPod struct {
	planner     planner
	skew        time.Duration
	seen        observation // last one that it received
	version     int
	nextEvent   time.Time // when it receives the latest change
	relistAt    time.Time // when a list of the StatefulSet is answered; zero: no list is in progress
	write       func() error
	written     time.Time
	plan        shard.Plan
	ready       bool
	visible     objectSet
	held        objectSet // loaded completely
	loading     objectSet
	loaded      time.Time // when loading is complete
	deleted     time.Time // zero: not deleted
	restarts    time.Time // zero: running
	silentWatch bool      // its watch of the StatefulSet delivers nothing
	cutOff      time.Time // until then it receives nothing, and its writes fail
	denied      time.Time // until then it may neither read nor write the ConfigMap
	blind       time.Time // until then it may not read the StatefulSet

	probed     time.Time // time of the next readiness probe
	reported   bool      // the pod's condition Ready
	neverReady bool      // its first process is running and was never reported ready
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	s := &simulation{t: t, random: rand.New(rand.NewPCG(seed, 0)), now: noon, data: map[string]string{}, desired: desiredReplicas(1 + int(seed)%simMaxReplicas)}
	for n := 1; n <= simMaxReplicas; n++ {
		table, err := shard.NewTable(n)
		if err != nil {
			t.Fatal(err)
		}
		for h := range simObjects {
			hash := uint64(h)*(^uint64(0)/simObjects) + 12345 // spread over the ring like the hashes of UIDs
			for ordinal := range n {
				if table.Ranges(ordinal).Contains(hash) {
					s.own[n][ordinal] |= 1 << h
				}
			}
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

// fatal logs the history and ends the test.
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

// newPod returns a pod as the StatefulSet controller creates it.
func (s *simulation) newPod() *simPod {
	s.pod++
	p := s.newProcess(types.UID(strconv.Itoa(s.pod)))
	p.neverReady = true
	return p
}

// newProcess returns another process in a pod.
func (s *simulation) newProcess(pod types.UID) *simPod {
	return &simPod{
		skew:    s.randomUpTo(6*time.Second) - 3*time.Second,
		planner: planner{incarnation: "x", pod: pod}, restarts: s.now.Add(s.randomUpTo(3 * time.Second)),
	}
}

// advance runs the simulation for d.
func (s *simulation) advance(d time.Duration) {
	for range d / simTick {
		s.tick()
	}
}

// startUp waits until a new fleet serves. Until then, missing objects do not count.
func (s *simulation) startUp() {
	s.advance(30 * time.Second)
	if s.coverage() != 1 {
		s.fatal("a new fleet of %d has coverage %.2f after 30 s, want 1; topology %v", s.desired.Total, s.coverage(), s.topology())
	}
	clear(s.violatedSince[:])
	s.worst = 0
}

// tick advances the time by one step.
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
			if ended := s.now.Sub(p.deleted); !p.deleted.IsZero() && (!s.mustKeepServing(p) || ended > simGrace) && ended > simLag {
				s.logf("%d ends", number)
				s.pods[number] = nil
				s.version++
			}
		}
	}
	s.countSwitch()
	s.audit()
}

// remove deletes a pod: its process receives the termination signal.
func (s *simulation) remove(number int) {
	s.pods[number].deleted = s.now
	s.version++
}

// mustKeepServing returns the result of Status.mustKeepServing for the replica.
func (s *simulation) mustKeepServing(p *simPod) bool {
	pl := &p.planner
	return Status{
		leaves:  p.seen.usable && !pl.uncoordinated && pl.leaving && pl.isMember(p.seen),
		Standby: p.plan.Standby, canStop: pl.canStop(p.seen),
	}.mustKeepServing()
}
