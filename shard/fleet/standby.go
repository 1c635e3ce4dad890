package fleet

import (
	"time"

	"github.com/statefleet/statefleet/shard"
)

// overlap is how long a replica keeps serving a shard that another one has taken over. Both act on
// the same change of a pod, but read it at slightly different times, and serving twice for a moment
// is better than not at all.
const overlap = 100 * time.Millisecond

// standbyState states which shards a replica serves, by the state of the fleet's pods:
//
// The shard of ordinal i is served by i, unless pod i is not serving and pod i+1 is. Then i+1 serves it.
//
// A pod is serving when it is ready. A pod that was never ready counts as well once its replica has
// reported that it holds its part: it serves from the switch on, before its first readiness probe.
//
// All replicas compute the same result from the same pods.
type standbyState struct {
	active         int  // size of the table that the state is for
	own, neighbour bool // shards that this replica serves

	// Since when this replica need not serve a shard any more; zero while it has to.
	ownUnneededSince, neighbourUnneededSince time.Time
}

// nextStandbyState returns the state for an observation. A replica takes over at once and gives up
// after overlap.
func (pl *planner) nextStandbyState(obs observation) standbyState {
	d, p := pl.standbyState, pl.plan
	if d.active != p.Active {
		d.active, d.neighbour = p.Active, false // another replica owns it now
	}
	start := obs.desired.number() - p.Ordinal
	serving := func(ordinal int) bool { return obs.serving(start + ordinal) }
	here, after := p.Ordinal, (p.Ordinal+1)%p.Active
	d.own = pl.holdOver(d.own, serving(here) || !serving(after), &d.ownUnneededSince, obs.now)
	takeOver := serving(here) && !serving(shard.Neighbour(here, p.Active))
	d.neighbour = pl.holdOver(d.neighbour, takeOver, &d.neighbourUnneededSince, obs.now)
	return d
}

// holdOver keeps serving for overlap after the condition became false. since is when that happened.
func (pl *planner) holdOver(served, condition bool, since *time.Time, now time.Time) bool {
	switch {
	case condition, !served:
		*since = time.Time{}
		return condition
	case since.IsZero():
		*since = now
	}
	return !pl.elapsed(now, *since, overlap)
}

// serving reports whether the pod with this number can serve. A pod that a scale-down deletes
// serves until others have taken over.
func (obs observation) serving(number int) bool {
	p := obs.peers[number]
	return (p.ready || p.neverReady && obs.hasReportedComplete(number, p)) &&
		(!p.terminating || !obs.desired.members().has(number))
}

// hasReportedComplete reports whether the replica in a pod has reported that it holds everything,
// for any table.
func (obs observation) hasReportedComplete(number int, p peer) bool {
	r := obs.reports[number]
	return r.Complete && r.Pod != "" && r.Pod == p.uid
}

// updateStandby sets which shards the replica serves for its neighbour, and whether its standby
// serves its own.
func (pl *planner) updateStandby(obs observation) {
	p := &pl.plan
	p.Standby, p.ServesNeighbour, p.ServedByStandby = obs.standby, false, false
	if !obs.standby || p.Active < 2 || p.Ordinal < 0 || p.Ordinal >= p.Active {
		pl.standbyState = standbyState{}
		return
	}
	pl.standbyState = pl.nextStandbyState(obs)
	p.ServesNeighbour, p.ServedByStandby = pl.standbyState.neighbour, !pl.standbyState.own
}

// canStop reports whether a replica that was asked to stop may do so, because its standby serves
// its shard or because there is no standby. A leaving replica waits for the switch instead.
func (pl *planner) canStop(obs observation) bool {
	number := obs.desired.number()
	if p := pl.plan; p.Standby && pl.standbyState.own && obs.desired.members().has(number) {
		other, ok := obs.peers[number-p.Ordinal+(p.Ordinal+1)%p.Active]
		return !ok || other.terminating
	}
	return true
}
