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

// next returns the duty by what is known now. Taking over is at once, giving up comes a moment after.
func (d duty) next(p Plan, v view) duty {
	if d.active != p.Active {
		d.active, d.neighbour = p.Active, false // it is another's now
	}
	here, after := p.Ordinal, (p.Ordinal+1)%p.Active
	d.own = linger(d.own, v.up(here) || !v.up(after), &d.ownEnds, v.now)
	d.neighbour = linger(d.neighbour, v.up(here) && !v.up(before(here, p.Active)), &d.neighbourEnds, v.now)
	return d
}

// linger returns whether something is served that ought to be or not. since is when it ceased to.
func linger(served, ought bool, since *time.Time, now time.Time) bool {
	switch {
	case ought, !served:
		*since = time.Time{}
		return ought
	case since.IsZero():
		*since = now
	}
	return now.Sub(*since) < overlap
}

// up reports whether the pod of a replica is there to serve. One that leaves because the fleet shrinks is until
// the others have taken over.
func (v view) up(ordinal int) bool {
	p := v.peers[ordinal]
	return (p.ready || p.first && v.prepared(ordinal, p)) && (!p.leaving || ordinal >= v.wanted.Total)
}

// prepared reports whether the replica in a pod has said that it holds its part, of whichever table.
func (v view) prepared(ordinal int, p peer) bool {
	r, ok := parseReport(v.data, ordinal)
	return ok && r.Holds && r.Pod != "" && r.Pod == p.uid
}

// standBy adds to the plan what the replica serves in the place of others, and others in its place.
func (m *mind) standBy(v view) {
	p := &m.plan
	p.Standby, p.Covers, p.Covered = v.standby, false, false
	if !v.standby || p.Active < 2 || p.Ordinal < 0 || p.Ordinal >= p.Active {
		m.duty = duty{}
		return
	}
	m.duty = m.duty.next(*p, v)
	p.Covers, p.Covered = m.duty.neighbour, !m.duty.own
}

// relieved reports whether a replica that has been asked to stop may do so, because another serves its shard or
// because none is there that could. One that leaves because the fleet shrinks waits for the switch instead.
func (m *mind) relieved(v view) bool {
	if p := m.plan; p.Standby && m.duty.own && p.Active > 1 && p.Ordinal < v.wanted.Total {
		other, there := v.peers[(p.Ordinal+1)%p.Active]
		return !there || other.leaving
	}
	return true
}
