package fleet

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/statefleet/statefleet/shard"
)

// maxReplicasWithRanges is the largest fleet whose table an [Overview] has: the work to make one grows with the cube, and
// nobody reads that many ranges.
const maxReplicasWithRanges = 64

var errNotWritable = errors.New("it may not be written")

// Overview is what one replica knows of its whole fleet, from what it reads of the API server anyway: no request
// is made for it.
type Overview struct {
	Status
	// StatefulSet and Topology name the objects that it comes from; "" while they are not known, and without a
	// fleet to follow.
	StatefulSet, Topology string
	// Problem is why the topology cannot be followed; nil when it can.
	Problem error
	// SwitchAt is the instant of the switch, once it is named.
	SwitchAt    time.Time
	LastContact LastContact
	// Replicas are all that serve or are to serve, this one, and all that have a pod, by ordinal.
	Replicas []Replica
}

// LastContact holds the time of the last message from the API server about each source, including bookmarks; zero before
// the first. Pods are read with Standby only.
type LastContact struct{ StatefulSet, Topology, Pods time.Time }

// Replica is what is known of one replica of the fleet.
type Replica struct {
	Ordinal int
	Self    bool
	Pod     string // name; "" without a fleet to follow
	State   PodState
	// Own and Next are the hashes that are its own by the active table and by the target's; nil when it has none,
	// without a change, and in fleets of more than 64.
	Own, Next shard.Ranges
	// Holds is whether it has reported that it holds its part of the target.
	Holds bool
	// Server is the ordinal of the replica that serves Own: its own or, with Standby, the next one. -1: none that is
	// ready.
	ServedBy int
}

// PodState is what the API server says of the pod of a replica.
type PodState string

// The states of pods.
const (
	podUnknown  PodState = "unknown" // pods are not read
	podAbsent   PodState = "absent"
	podUnready  PodState = "not ready"
	podReady    PodState = "ready"
	podStopping PodState = "stopping" // it is being deleted
)

// Overview returns what is known now. It may be called at any time by any goroutine.
func (c *Coordinator) Overview() Overview {
	l := c.loop.Load()
	if l == nil {
		return Overview{Status: c.Status()}
	}
	o := Overview{
		Status: c.Status(), StatefulSet: l.name, Topology: l.store.name,
		LastContact: LastContact{StatefulSet: l.lastContact.load(), Topology: l.store.lastContact.load()},
	}
	v := snapshot{contents: o.readStore(l.store.read())}
	if w := l.desired.Load(); w != nil {
		v.desired = *w
	}
	if l.podTracker != nil {
		v.peers, _, _, _ = l.podTracker.read()
		o.LastContact.Pods = l.podTracker.lastContact.load()
	}
	o.addReplicas(v, func(r *Replica) {
		r.Pod = l.name + "-" + strconv.Itoa(r.Ordinal+o.start)
		r.Holds = v.reports[r.Ordinal+o.start].holdsTarget(topology{Generation: o.Generation, Target: o.Target})
	})
	return o
}

// readStore takes from the object what is not in the status, and returns what it says.
func (o *Overview) readStore(s stored) contents {
	switch {
	case s.err != nil:
		o.Problem = s.err
	case s.object != nil && s.contents.err != nil:
		o.Problem = s.contents.err
	case s.object != nil && o.Active > 0 && !o.Coordinated:
		o.Problem = errNotWritable
	}
	if s.topology.Generation == o.Generation {
		o.SwitchAt = s.topology.SwitchAt
	}
	return s.contents
}

// Overview is that of a replica that coordinates with nobody.
func StaticOverview(a shard.Assignment) Overview {
	o := Overview{Status: Status{Ordinal: a.Ordinal, Active: a.Total, Desired: a.Total}}
	o.addReplicas(snapshot{}, func(*Replica) {})
	return o
}

// addReplicas adds the replicas, with what describe knows of each.
func (o *Overview) addReplicas(v snapshot, describe func(*Replica)) {
	if o.Active == 0 {
		return
	}
	var active, target shard.Table
	if max(o.Active, o.Target) <= maxReplicasWithRanges {
		active, target = tableOf(o.Active), tableOf(o.Target)
	}
	for _, ordinal := range o.ordinals(v.peers) {
		r := Replica{
			Ordinal:  ordinal,
			Self:     ordinal == o.Ordinal,
			State:    v.podState(ordinal + o.start),
			Own:      active.Ranges(ordinal),
			Next:     target.Ranges(ordinal - o.shift),
			ServedBy: v.servedBy(ordinal, o.start, o.Active),
		}
		describe(&r)
		o.Replicas = append(o.Replicas, r)
	}
}

// ordinals returns those of all replicas, sorted.
func (o *Overview) ordinals(present peers) []int {
	all := map[int]bool{o.Ordinal: true}
	for ordinal := range o.Active {
		all[ordinal] = true
	}
	for ordinal := range o.Target {
		all[ordinal+o.shift] = true
	}
	for number := range present {
		all[number-o.start] = true
	}
	return slices.Sorted(maps.Keys(all))
}

// tableOf is the table for a number of replicas, empty for none.
func tableOf(total int) shard.Table {
	table, err := shard.NewTable(total)
	if err != nil {
		return shard.Table{}
	}
	return table
}

func (v snapshot) podState(number int) PodState {
	p, there := v.peers[number]
	switch {
	case v.peers == nil:
		return podUnknown
	case !there:
		return podAbsent
	case p.terminating:
		return podStopping
	case p.ready:
		return podReady
	}
	return podUnready
}

// server is the ordinal of who serves the shard of a replica; see standbyState.
func (v snapshot) servedBy(ordinal, start, active int) int {
	next := (ordinal + 1) % active
	switch {
	case ordinal < 0 || ordinal >= active:
		return -1
	case v.peers == nil || v.serving(start+ordinal):
		return ordinal
	case active > 1 && v.serving(start+next):
		return next
	}
	return -1
}

// heard is when something was last heard of. The zero value is never; nil takes no notes. It is safe for concurrent
// use.
type atomicTime struct{ at atomic.Int64 }

func (h *atomicTime) set() {
	if h != nil {
		h.at.Store(time.Now().UnixNano())
	}
}

func (h *atomicTime) load() time.Time {
	if at := h.at.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// Bookmark implements [cache.ReflectorBookmarkStore]: that nothing has changed is news, too.
func (b *topologyStore) Bookmark(string) error { b.lastContact.set(); return nil }

// Bookmark implements [cache.ReflectorBookmarkStore].
func (r *podTracker) Bookmark(string) error { r.lastContact.set(); return nil }

// Bookmark implements [cache.ReflectorBookmarkStore].
func (f *statefulSetWatcher) Bookmark(string) error { f.lastContact.set(); return nil }
