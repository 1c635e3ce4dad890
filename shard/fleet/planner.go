package fleet

import (
	"cmp"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/shard"
)

const (
	// restoreGrace is how long a replica that has just started waits for others to restore an
	// invalid topology. They know what the fleet serves.
	restoreGrace = time.Second
	// initialWait is how long a replica that has just started waits for a missing ConfigMap, which
	// may be about to be applied again. It is shorter than topologyGrace: a replica that waits in
	// vain then serves some objects twice instead of leaving them out.
	initialWait = 10 * time.Second
	// topologyGrace is how long a replica follows the last topology after its ConfigMap was
	// deleted. The ConfigMap may be about to be applied again, and without it the replicas cannot
	// coordinate a change.
	topologyGrace = 30 * time.Second
	// exclusionWindow is how long after a scale-down was decided a termination signal counts as a
	// consequence of it.
	exclusionWindow = 30 * time.Second
	// forcedSwitchLead is how long before its own end a leaving replica makes the fleet switch. It
	// covers the write, switchLead, and the delay of the watches.
	forcedSwitchLead = 10 * time.Second
	// targetOnlyTimeout is how long a replica that was OOM-killed holds only its part of the target
	// table. It exceeds the kubelet's longest restart delay of five minutes, so that all
	// crash-looping replicas of a fleet hold their parts at the same time.
	targetOnlyTimeout = 10 * time.Minute
)

// observation is everything a replica knows about its fleet at one moment.
type observation struct {
	now         time.Time
	desired     desiredState // Total is 0 until the StatefulSet was read
	desiredAsOf time.Time    // start of the last list that confirmed desired
	excluded    time.Time    // last time the StatefulSet did not include this replica
	stopBy      time.Time    // deadline of a replica that was asked to stop; else zero

	known  bool // the ConfigMap was read, is missing, or is forbidden
	usable bool // the ConfigMap exists, and this replica may read and write it
	absent bool // the ConfigMap does not exist, and this replica may read it
	contents
	rewinds int // how often the ConfigMap's resourceVersion went back, as after a restore of etcd

	standby bool  // replicas hold their neighbour's shard, and this replica may read the pods
	peers   peers // the fleet's pods by number, with standby; nil until they were read
}

// planner decides what one replica serves and holds, and what it writes to the topology ConfigMap.
// Every decision is a function of the planner's fields and of an observation. One goroutine uses it.
type planner struct {
	incarnation string
	pod         types.UID // of this replica's pod; "" if unknown
	oomKilled   bool      // the previous container of the pod ran out of memory

	plan             shard.Plan   // zero until the first decision
	last             topology     // last valid topology, as it was read; zero while uncoordinated
	uncoordinated    bool         // this replica cannot coordinate with the fleet
	switched         decision     // last decision that was switched to. A clock that goes back does not undo it
	invalidSince     time.Time    // since when the ConfigMap has had no valid topology
	unavailableSince time.Time    // since when the ConfigMap has been unusable
	missingAtStart   bool         // the ConfigMap was missing when this replica started
	problem          error        // why the topology is not followed; else nil
	newer            topology     // the readable part of a topology that a newer version wrote
	standbyState     standbyState // used with standby

	implausible     error       // why a valid topology is not followed; else nil
	joins           bool        // this replica nevertheless moves to the target of that topology
	rejected        int         // number of implausible topologies
	unknownRevision setRevision // of the topology, if this replica has not seen that revision of the StatefulSet
	staleSince      time.Time   // since when desired may be stale; else zero
	firstStale      time.Time   // as staleSince, but not renewed by further unknown revisions
	rewinds         int         // rewinds that were handled
	ignored         decision    // decision that a restored backup brought back
	scheduled       schedule
	excluded        time.Time // last time this replica was not part of the fleet's future
	leaving         bool      // if asked to stop, this replica leaves the fleet
	firstPlanAt     time.Time // when the first plan was made
	heldAll         bool      // the replica has once held everything a plan asks for
	wakeAt          time.Time // when to update again without an event; zero: never
}

// schedule is the time of a switch, and when this replica read it first.
type schedule struct{ at, seen time.Time }

// update brings the plan up to date.
func (pl *planner) update(obs observation) {
	pl.wakeAt = time.Time{}
	if obs.desired.Total == 0 || !obs.known || obs.standby && obs.peers == nil {
		return
	}
	pl.handleRewind(obs)
	before := pl.implausible
	if pl.joins, pl.implausible = pl.checkPlausible(obs); pl.implausible != nil && before == nil {
		pl.rejected++
	}
	pl.updateTables(obs)
	pl.updateStaleness(obs)
	pl.updateLeaving(obs)
	if pl.plan.Active > 0 {
		pl.updateStandby(obs)
		pl.limitToTarget(obs)
	}
}

// elapsed reports whether d has passed since an instant. Otherwise it schedules an update for then.
func (pl *planner) elapsed(now, since time.Time, d time.Duration) bool {
	end := since.Add(d)
	if now.Before(end) {
		pl.wakeBy(end)
		return false
	}
	return true
}

func (pl *planner) wakeBy(at time.Time) {
	if pl.wakeAt.IsZero() || at.Before(pl.wakeAt) {
		pl.wakeAt = at
	}
}

// updateTables brings the tables of the plan up to date.
func (pl *planner) updateTables(obs observation) {
	pl.problem, pl.newer = nil, topology{}
	if !obs.usable {
		pl.onTopologyUnavailable(obs)
		return
	}
	pl.unavailableSince = time.Time{}
	t, problem := obs.topology, cmp.Or(obs.err, pl.implausible)
	newer, isNewer := errors.AsType[*newerError](problem)
	switch {
	case isNewer:
		pl.keepServing(obs, newer)
		return
	case pl.joins: // from the table by which this replica serves
		serving := pl.followTopology(pl.last, obs).active()
		t.Active, t.Start = serving.total, serving.start
		pl.last, pl.invalidSince = t, time.Time{}
	case problem != nil:
		pl.problem = problem
		if pl.invalidSince.IsZero() {
			pl.invalidSince = obs.now
		}
		if pl.last.Generation == 0 {
			// The ConfigMap is installed empty. No replica has served yet, so there is nothing to wait for.
			installed := obs.empty && !pl.missingAtStart
			if installed || !pl.shouldWait(obs, pl.invalidSince, pl.restoreDelay()) {
				pl.planUncoordinated(obs)
			}
			return
		}
		t = pl.last
	case pl.ignores(t):
		t = pl.last
	case pl.uncoordinated && t.outdated(obs.desired):
		pl.planUncoordinated(obs)
		return
	default:
		pl.uncoordinated, pl.last, pl.invalidSince = false, t, time.Time{}
	}
	pl.plan = pl.followTopology(t, obs).plan(obs.desired.number(), obs.now)
}

// followTopology returns the topology that this replica follows. It records a switch whose time has
// come, and never goes back on it. It also records the time of a scheduled switch, and schedules an
// update for then.
func (pl *planner) followTopology(t topology, obs observation) topology {
	switch {
	case t.at(obs.now) != t:
		pl.switched = t.decision()
	case t.scheduled():
		pl.wakeBy(t.SwitchAt)
	}
	if !t.scheduled() || !t.SwitchAt.Equal(pl.scheduled.at) {
		pl.scheduled = schedule{t.SwitchAt, obs.now}
	}
	if t.Target != 0 && t.decision() == pl.switched {
		return t.switched()
	}
	return t
}

// keepServing keeps the plan when a newer version of statefleet wrote the topology. A replica that
// has just started serves by the active table of that topology, if it can compute it, and otherwise
// as an uncoordinated one: it must become ready for a rollback to go on.
func (pl *planner) keepServing(obs observation, newer *newerError) {
	pl.problem, pl.newer = newer, newer.topology
	switch {
	case pl.last.Generation != 0:
		if pl.newer.Active != 0 && pl.last.target() == pl.newer.active() {
			pl.switched = pl.last.decision()
		}
		pl.plan = pl.followTopology(pl.last, obs).plan(obs.desired.number(), obs.now)
	case pl.plan.Active != 0:
	case pl.newer.Active != 0:
		pl.plan = pl.newer.plan(obs.desired.number(), obs.now)
	default:
		pl.planUncoordinated(obs)
	}
}

// handleRewind handles a ConfigMap whose resourceVersion went back. If it holds another decision
// than before, that decision is ignored: the fleet still serves by the newer one, and the replicas
// that served by the older one may be gone.
func (pl *planner) handleRewind(obs observation) {
	if obs.rewinds == pl.rewinds {
		return
	}
	pl.rewinds, pl.staleSince = obs.rewinds, obs.now
	if obs.err == nil && pl.last.Generation != 0 && obs.topology.decision() != pl.last.decision() {
		pl.ignored = obs.topology.decision()
	}
}

func (pl *planner) ignores(t topology) bool {
	return pl.ignored != decision{} && pl.last.Generation != 0 && t.decision() == pl.ignored
}

// updateLeaving finds out whether this replica leaves the fleet. A replica that was asked to stop
// while leaving ends in any case, even if the StatefulSet is scaled up again.
func (pl *planner) updateLeaving(obs observation) {
	t, number := pl.last, obs.desired.number()
	if !obs.desired.members().has(number) || t.Target != 0 && t.active().has(number) && !t.target().has(number) {
		pl.excluded = obs.now
	}
	if obs.excluded.After(pl.excluded) {
		pl.excluded = obs.excluded
	}
	recently := obs.now.Sub(pl.excluded) < exclusionWindow
	pl.leaving = recently || pl.leaving && !obs.stopBy.IsZero()
}

// isMember reports whether the fleet relies on this replica by the topology as it is written. A
// replica whose clock is ahead must not end before the others have read that the fleet switched.
func (pl *planner) isMember(obs observation) bool {
	t, number := pl.last, obs.desired.number()
	if pl.newer.Active != 0 {
		return pl.newer.active().has(number)
	}
	return t.active().has(number) || t.target().has(number) && (t.scheduled() || obs.reports[number].holdsTarget(t))
}

// limitToTarget makes a replica that was OOM-killed hold only its part of the target table while
// the fleet grows. Otherwise it would be killed again before it could report, and scaling up could
// not end the kills.
func (pl *planner) limitToTarget(obs observation) {
	if pl.firstPlanAt.IsZero() {
		pl.firstPlanAt = obs.now
	}
	p := &pl.plan
	serves := p.Ordinal >= 0 && p.Ordinal < p.Active
	p.TargetOnly = pl.oomKilled && !pl.heldAll && serves && p.Grows() &&
		!pl.elapsed(obs.now, pl.firstPlanAt, targetOnlyTimeout)
}

// recordHeld records whether the replica holds everything the plan asks for.
func (pl *planner) recordHeld(held shard.Held) {
	pl.heldAll = pl.heldAll || held.All && pl.plan.Active > 0 && !pl.plan.TargetOnly
}

// onTopologyUnavailable plans without a ConfigMap: by the last topology for topologyGrace, and
// uncoordinated after that.
func (pl *planner) onTopologyUnavailable(obs observation) {
	if pl.unavailableSince.IsZero() {
		pl.unavailableSince = obs.now
	}
	if pl.last.Generation != 0 && !pl.elapsed(obs.now, pl.unavailableSince, topologyGrace) {
		pl.plan = pl.followTopology(pl.last, obs).plan(obs.desired.number(), obs.now)
		return
	}
	if obs.absent && pl.shouldWait(obs, pl.unavailableSince, initialWait) {
		pl.missingAtStart = true
		return
	}
	pl.uncoordinated, pl.last = true, topology{}
	pl.planUncoordinated(obs)
}

// shouldWait reports whether a replica without a plan should wait for others to restore the
// topology.
func (pl *planner) shouldWait(obs observation, since time.Time, grace time.Duration) bool {
	return pl.plan.Active == 0 && !pl.elapsed(obs.now, since, grace)
}

// planUncoordinated plans by the StatefulSet alone. A replica that the StatefulSet does not include
// keeps its plan until it is stopped, since the new owners may not hold its objects yet.
func (pl *planner) planUncoordinated(obs observation) {
	if obs.desired.members().has(obs.desired.number()) {
		pl.plan = shard.Uncoordinated(obs.desired.Assignment)
	}
}
