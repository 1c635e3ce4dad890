package shard

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// manyReplicas is the largest fleet whose table an [Overview] has: the work to make one grows with the cube, and
// nobody reads that many ranges.
const manyReplicas = 64

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
	SwitchAt time.Time
	// SetHeard, TopologyHeard and PodsHeard are when the API server was last heard of about each, be it that nothing
	// has changed; zero when never. Pods are read with Standby only.
	SetHeard, TopologyHeard, PodsHeard time.Time
	// Replicas are all that serve or are to serve, this one, and all that have a pod, by ordinal.
	Replicas []Replica
}

// Replica is what is known of one replica of the fleet.
type Replica struct {
	Ordinal int
	Self    bool
	Pod     string // name; "" without a fleet to follow
	State   PodState
	// Own and Next are the hashes that are its own by the active table and by the target's; nil when it has none,
	// without a change, and in fleets of more than 64.
	Own, Next Ranges
	// Holds is whether it has reported that it holds its part of the target.
	Holds bool
	// Server is the ordinal of the replica that serves Own: its own or, with Standby, the next one. -1: none that is
	// ready.
	Server int
}

// PodState is what the API server says of the pod of a replica.
type PodState string

// The states of pods.
const (
	PodUnknown  PodState = "unknown" // pods are not read
	PodAbsent   PodState = "absent"
	PodUnready  PodState = "not ready"
	PodReady    PodState = "ready"
	PodStopping PodState = "stopping" // it is being deleted
)

// Overview returns what is known now. It may be called at any time by any goroutine.
func (c *Coordinator) Overview() Overview {
	l := c.work.Load()
	if l == nil {
		return Overview{Status: c.Status()}
	}
	o := Overview{
		Status: c.Status(), StatefulSet: l.name, Topology: l.store.name,
		SetHeard: l.heard.time(), TopologyHeard: l.store.heard.time(),
	}
	v := snapshot{contents: o.readStore(l.store.read())}
	if w := l.wanted.Load(); w != nil {
		v.wanted = *w
	}
	if l.roster != nil {
		v.peers, _, _, _ = l.roster.read()
		o.PodsHeard = l.roster.heard.time()
	}
	o.addReplicas(v, func(r *Replica) {
		r.Pod = l.name + "-" + strconv.Itoa(r.Ordinal+o.start)
		r.Holds = v.reports[r.Ordinal+o.start].prepared(Topology{Generation: o.Generation, Target: o.Target})
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
func (a Assignment) Overview() Overview {
	o := Overview{Status: Status{Ordinal: a.Ordinal, Active: a.Total, Wanted: a.Total}}
	o.addReplicas(snapshot{}, func(*Replica) {})
	return o
}

// addReplicas adds the replicas, with what describe knows of each.
func (o *Overview) addReplicas(v snapshot, describe func(*Replica)) {
	if o.Active == 0 {
		return
	}
	var active, target Table
	if max(o.Active, o.Target) <= manyReplicas {
		active, target = tableOf(o.Active), tableOf(o.Target)
	}
	for _, ordinal := range o.ordinals(v.peers) {
		r := Replica{
			Ordinal: ordinal,
			Self:    ordinal == o.Ordinal,
			State:   v.state(ordinal + o.start),
			Own:     active.Ranges(ordinal),
			Next:    target.Ranges(ordinal - o.shift),
			Server:  v.server(ordinal, o.start, o.Active),
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
func tableOf(total int) Table {
	table, err := NewTable(total)
	if err != nil {
		return Table{}
	}
	return table
}

func (v snapshot) state(number int) PodState {
	p, there := v.peers[number]
	switch {
	case v.peers == nil:
		return PodUnknown
	case !there:
		return PodAbsent
	case p.leaving:
		return PodStopping
	case p.ready:
		return PodReady
	}
	return PodUnready
}

// server is the ordinal of who serves the shard of a replica; see duty.
func (v snapshot) server(ordinal, start, active int) int {
	next := (ordinal + 1) % active
	switch {
	case ordinal < 0 || ordinal >= active:
		return -1
	case v.peers == nil || v.up(start+ordinal):
		return ordinal
	case active > 1 && v.up(start+next):
		return next
	}
	return -1
}

// heard is when something was last heard of. The zero value is never; nil takes no notes. It is safe for concurrent
// use.
type heard struct{ at atomic.Int64 }

func (h *heard) now() {
	if h != nil {
		h.at.Store(time.Now().UnixNano())
	}
}

func (h *heard) time() time.Time {
	if at := h.at.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// Bookmark implements [cache.ReflectorBookmarkStore]: that nothing has changed is news, too.
func (b *topologyStore) Bookmark(string) error { b.heard.now(); return nil }

// Bookmark implements [cache.ReflectorBookmarkStore].
func (r *roster) Bookmark(string) error { r.heard.now(); return nil }

// Bookmark implements [cache.ReflectorBookmarkStore].
func (f *follower) Bookmark(string) error { f.heard.now(); return nil }
