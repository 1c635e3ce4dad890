package shard

import "time"

// overlap is how long a replica goes on serving what another has taken over: both learn of it from the same
// change of a pod, but not in the same millisecond, and twice for a moment is better than not at all.
const overlap = 100 * time.Millisecond

// duty is what a replica serves of its own shard and of its neighbour's, by the pods of the fleet:
//
//	The shard of ordinal i is served by i. Only when its pod is not up, and the pod of the one after it is, that
//	one serves it.
//
// A pod is up when it is ready. One that has never been is, too, once it has reported that it holds its part: it
// serves from the switch on, and would otherwise have its shard served by another until its first probe.
//
// Every replica comes to the same from the same pods, whoever it is.
type duty struct {
	active         int  // the table that it is for
	own, neighbour bool // what is served
	ownEnds        time.Time
	neighbourEnds  time.Time
}

// nextDuty returns the duty by what is known now. Taking over is at once, giving up comes a moment after.
func (m *planner) nextDuty(v snapshot) duty {
	d, p := m.duty, m.plan
	if d.active != p.Active {
		d.active, d.neighbour = p.Active, false // it is another's now
	}
	start := v.wanted.number() - p.Ordinal
	up := func(ordinal int) bool { return v.up(start + ordinal) }
	here, after := p.Ordinal, (p.Ordinal+1)%p.Active
	d.own = m.holdOver(d.own, up(here) || !up(after), &d.ownEnds, v.now)
	d.neighbour = m.holdOver(d.neighbour, up(here) && !up(before(here, p.Active)), &d.neighbourEnds, v.now)
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
func (v snapshot) up(number int) bool {
	p := v.peers[number]
	return (p.ready || p.first && v.prepared(number, p)) && (!p.leaving || !v.wanted.members().has(number))
}

// prepared reports whether the replica in a pod has said that it holds its part, of whichever table, and what it serves.
func (v snapshot) prepared(number int, p peer) bool {
	r := v.reports[number]
	return r.Complete && r.Pod != "" && r.Pod == p.uid
}

// standBy adds to the plan what the replica serves in the place of others, and others in its place.
func (m *planner) standBy(v snapshot) {
	p := &m.plan
	p.Standby, p.Covers, p.Covered = v.standby, false, false
	if !v.standby || p.Active < 2 || p.Ordinal < 0 || p.Ordinal >= p.Active {
		m.duty = duty{}
		return
	}
	m.duty = m.nextDuty(v)
	p.Covers, p.Covered = m.duty.neighbour, !m.duty.own
}

// relieved reports whether a replica that has been asked to stop may do so, because another serves its shard or
// because none is there that could. One that leaves because the fleet shrinks waits for the switch instead.
func (m *planner) relieved(v snapshot) bool {
	number := v.wanted.number()
	if p := m.plan; p.Standby && m.duty.own && p.Active > 1 && v.wanted.members().has(number) {
		other, there := v.peers[number-p.Ordinal+(p.Ordinal+1)%p.Active]
		return !there || other.leaving
	}
	return true
}
