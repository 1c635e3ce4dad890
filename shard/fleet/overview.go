package fleet

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/statefleet/statefleet/shard"
)

// maxReplicasWithRanges is the largest fleet whose ranges an [Overview] includes. The cost of a
// table grows with the cube of its size, and people do not read that many ranges.
const maxReplicasWithRanges = 64

var errNotWritable = errors.New("topology ConfigMap may not be written")

// Overview is what one replica knows about its whole fleet. It comes from data that the replica
// reads anyway; it causes no requests.
type Overview struct {
	Status
	// StatefulSet and Topology are the names of the StatefulSet and the topology ConfigMap; ""
	// while unknown, and without a fleet.
	StatefulSet string `json:"statefulSet,omitempty"`
	Topology    string `json:"topology,omitempty"`
	// Problem is why the topology cannot be followed; else nil.
	Problem error `json:"-"`
	// SwitchAt is the time of the switch, once it is fixed.
	SwitchAt    time.Time   `json:"switchAt,omitzero"`
	LastContact LastContact `json:"lastContact"`
	// Replicas are the active replicas, those of the target, this one, and all that have a pod, by
	// ordinal.
	Replicas []Replica `json:"replicas,omitempty"`
}

// LastContact holds the time of the last message from the API server about each object, bookmarks
// included; zero before the first.
type LastContact struct {
	StatefulSet time.Time `json:"statefulSet,omitzero"`
	Topology    time.Time `json:"topology,omitzero"`
	Pods        time.Time `json:"pods,omitzero"`
}

// Replica is the state of one replica of the fleet.
type Replica struct {
	Ordinal int      `json:"ordinal"`
	Self    bool     `json:"self"`
	Pod     string   `json:"pod,omitempty"` // name; "" without a fleet
	State   PodState `json:"state"`         // null while pods are not read
	// Reason is why the pod is pending or a container of it does not run, as its status reports it.
	Reason string `json:"reason,omitempty"`
	// Address is the IP address of the pod; "" if it has none or pods are not read.
	Address string `json:"address,omitempty"`
	// Own and TargetOwn are the replica's shards by the active and the target table; nil if it has
	// none, and in fleets of more than 64. TargetOwn is nil outside a transition.
	Own       shard.Ranges `json:"own,omitempty"`
	TargetOwn shard.Ranges `json:"next,omitempty"`
	// Holds is whether the replica has reported that it holds its part of the target.
	Holds bool `json:"holds"`
	// ServedBy is the ordinal of the replica that serves Own: its own or, with Standby, the next
	// one. It is nil if no ready replica does, and while pods are not read.
	ServedBy *int `json:"servedBy"`
}

// ServesItself reports whether the replica serves its own shard.
func (r Replica) ServesItself() bool { return r.ServedBy != nil && *r.ServedBy == r.Ordinal }

// PodState is the state of a replica's pod.
type PodState string

// States of pods.
const (
	PodUnknown  PodState = "" // pods are not read
	podAbsent   PodState = "absent"
	podPending  PodState = "pending" // not scheduled, or its containers have not started
	podUnready  PodState = "not ready"
	PodReady    PodState = "ready"
	podStopping PodState = "stopping" // it is being deleted
)

// MarshalJSON implements [json.Marshaler]. An unknown state is null.
func (s PodState) MarshalJSON() ([]byte, error) {
	if s == PodUnknown {
		return []byte("null"), nil
	}
	return json.Marshal(string(s))
}

// Overview returns the current overview. It is safe for concurrent use.
func (c *Coordinator) Overview() Overview {
	l := c.loop.Load()
	if l == nil {
		return Overview{Status: c.Status()}
	}
	o := Overview{
		Status: c.Status(), StatefulSet: l.name, Topology: l.store.Name,
		LastContact: LastContact{StatefulSet: l.sets.State().LastContact, Topology: l.store.State().LastContact},
	}
	obs := observation{contents: o.readStore(l.store.read()), desired: load(&l.desired).desiredState}
	obs.standby = o.Standby
	obs.peers, _ = l.podTracker.read()
	o.LastContact.Pods = l.podTracker.State().LastContact
	o.addReplicas(obs)
	for i := range o.Replicas {
		r := &o.Replicas[i]
		r.Pod = l.name + "-" + strconv.Itoa(r.Ordinal+o.start)
		r.Holds = obs.reports[r.Ordinal+o.start].holdsTarget(topology{Generation: o.Generation, Target: o.Target})
	}
	return o
}

// readStore adds the parts that are not in the status, and returns the contents of the ConfigMap.
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

// InTarget reports whether the fleet changes to a table that includes a replica.
func (o Overview) InTarget(r Replica) bool {
	number := r.Ordinal - o.shift
	return number >= 0 && number < o.Target
}

// Outside reports whether the fleet's active table is known and does not include this replica.
// No object is missing while such a replica is not ready.
func (o Overview) Outside() bool { return o.Active > 0 && (o.Ordinal < 0 || o.Ordinal >= o.Active) }

// Late returns the ordinals of the replicas that a transition waits for, because they have not
// reported that they hold their part of the target.
func (o Overview) Late() (late []int) {
	for _, r := range o.Replicas {
		if o.InTarget(r) && !r.Holds {
			late = append(late, r.Ordinal)
		}
	}
	return late
}

// StaticOverview returns the overview of a replica that follows an assignment without coordinating
// with others.
func StaticOverview(a shard.Assignment) Overview {
	o := Overview{Status: Status{Ordinal: a.Ordinal, Active: a.Total, Desired: a.Total}}
	o.addReplicas(observation{})
	return o
}

// addReplicas adds the replicas, without what they have in a fleet only.
func (o *Overview) addReplicas(obs observation) {
	if o.Active == 0 {
		return
	}
	var active, target shard.Table
	if max(o.Active, o.Target) <= maxReplicasWithRanges {
		active, _ = shard.NewTable(o.Active)
		target, _ = shard.NewTable(o.Target) // the zero table without a target
	}
	for _, ordinal := range o.ordinals(obs.peers) {
		o.Replicas = append(o.Replicas, Replica{
			Ordinal:   ordinal,
			Self:      ordinal == o.Ordinal,
			State:     obs.podState(ordinal + o.start),
			Reason:    obs.peers[ordinal+o.start].reason,
			Address:   obs.peers[ordinal+o.start].address,
			Own:       active.Ranges(ordinal),
			TargetOwn: target.Ranges(ordinal - o.shift),
			ServedBy:  obs.servedBy(ordinal, o.start, o.Active),
		})
	}
}

// ordinals returns the ordinals of all replicas, sorted.
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

func (obs observation) podState(number int) PodState {
	p, ok := obs.peers[number]
	switch {
	case obs.peers == nil:
		return PodUnknown
	case !ok:
		return podAbsent
	case p.terminating:
		return podStopping
	case p.ready:
		return PodReady
	case p.pending:
		return podPending
	}
	return podUnready
}

// servedBy returns the ordinal of the replica that serves a shard, or nil; see standbyState.
func (obs observation) servedBy(ordinal, start, active int) *int {
	next := (ordinal + 1) % active
	switch {
	case ordinal < 0 || ordinal >= active:
	case obs.serving(start + ordinal):
		return &ordinal
	case obs.standby && obs.serving(start+next):
		return &next
	}
	return nil
}
