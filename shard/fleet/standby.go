package fleet

import (
	"time"

	"github.com/statefleet/statefleet/shard"
)

// overlap is how long a replica goes on serving what another has taken over: both learn of it from the same
// change of a pod, but not in the same millisecond, and twice for a moment is better than not at all.
const overlap = 100 * time.Millisecond

// standbyState is what a replica serves of its own shard and of its neighbour's, by the pods of the fleet:
//
//	The shard of ordinal i is served by i. Only when its pod is not up, and the pod of the one after it is, that
//	one serves it.
//
// A pod is up when it is ready. One that has never been is, too, once it has reported that it holds its part: it
// serves from the switch on, and would otherwise have its shard served by another until its first probe.
//
// Every replica comes to the same from the same pods, whoever it is.
type standbyState struct {
	active                 int  // the table that it is for
	own, neighbour         bool // what is served
	ownUnneededSince       time.Time
	neighbourUnneededSince time.Time
}

// nextStandbyState returns the standbyState by what is known now. Taking over is at once, giving up comes a moment after.
func (m *planner) nextStandbyState(v snapshot) standbyState {
	d, p := m.standbyState, m.plan
	if d.active != p.Active {
		d.active, d.neighbour = p.Active, false // it is another's now
	}
	start := v.desired.number() - p.Ordinal
	serving := func(ordinal int) bool { return v.serving(start + ordinal) }
	here, after := p.Ordinal, (p.Ordinal+1)%p.Active
	d.own = m.holdOver(d.own, serving(here) || !serving(after), &d.ownUnneededSince, v.now)
	d.neighbour = m.holdOver(d.neighbour, serving(here) && !serving(shard.Neighbour(here, p.Active)), &d.neighbourUnneededSince, v.now)
	return d
}

// holdOver keeps serving for overlap after the condition became false. since is when it did.
func (m *planner) holdOver(served, condition bool, since *time.Time, now time.Time) bool {
	switch {
	case condition, !served:
		*since = time.Time{}
		return condition
	case since.IsZero():
		*since = now
	}
	return !m.elapsed(now, *since, overlap)
}

// up reports whether the pod with this number is there to serve. One that leaves because the fleet shrinks is until
// the others have taken over.
func (v snapshot) serving(number int) bool {
	p := v.peers[number]
	return (p.ready || p.neverReady && v.hasReportedComplete(number, p)) && (!p.terminating || !v.desired.members().has(number))
}

// prepared reports whether the replica in a pod has said that it holds its part, of whichever table, and what it serves.
func (v snapshot) hasReportedComplete(number int, p peer) bool {
	r := v.reports[number]
	return r.Complete && r.Pod != "" && r.Pod == p.uid
}

// standBy adds to the plan what the replica serves in the place of others, and others in its place.
func (m *planner) updateStandby(v snapshot) {
	p := &m.plan
	p.Standby, p.ServesNeighbour, p.ServedByStandby = v.standby, false, false
	if !v.standby || p.Active < 2 || p.Ordinal < 0 || p.Ordinal >= p.Active {
		m.standbyState = standbyState{}
		return
	}
	m.standbyState = m.nextStandbyState(v)
	p.ServesNeighbour, p.ServedByStandby = m.standbyState.neighbour, !m.standbyState.own
}

// relieved reports whether a replica that has been asked to stop may do so, because another serves its shard or
// because none is there that could. One that leaves because the fleet shrinks waits for the switch instead.
func (m *planner) canStop(v snapshot) bool {
	number := v.desired.number()
	if p := m.plan; p.Standby && m.standbyState.own && p.Active > 1 && v.desired.members().has(number) {
		other, there := v.peers[number-p.Ordinal+(p.Ordinal+1)%p.Active]
		return !there || other.terminating
	}
	return true
}
