package fleet

import (
	"time"

	"github.com/statefleet/statefleet/shard"
)

// report returns this replica's report, if it differs from the written one. While a switch is
// scheduled it returns none: a report would change nothing, and could conflict with the write that
// completes the switch.
func (pl *planner) report(snap snapshot, held shard.Held) (replicaReport, bool) {
	if pl.plan.Active == 0 || !snap.usable || pl.problem != nil && !isNewer(pl.problem) {
		return replicaReport{}, false
	}
	t, number := pl.last, snap.desired.number()
	if t.scheduled() && pl.problem == nil {
		return replicaReport{}, false
	}
	is := replicaReport{
		versions: versions{formatVersion, tableVersion}, Generation: t.Generation, Target: t.Target,
		Incarnation: pl.incarnation, Pod: pl.pod,
	}
	if pl.problem == nil && snap.stopBy.IsZero() {
		is.Holds = held.Target && t.target().has(number)
		is.Complete = is.Holds && held.All
	}
	if pl.leaving && !snap.stopBy.IsZero() && t.active().has(number) {
		is.ServesUntil = snap.stopBy.Round(time.Second).UTC()
	}
	was, written := snap.reports[number]
	switch {
	case is.Holds, !is.ServesUntil.IsZero():
		return is, !was.equivalent(is)
	case !was.ServesUntil.IsZero(), was.holdsTarget(t): // written by a previous pod or process
		return is, true
	case !written || was.versions != is.versions: // others need the versions before they change the format
		return is, snap.desired.members().has(number)
	}
	return replicaReport{}, false
}

// propose returns the topology that this replica would write.
func (pl *planner) propose(snap snapshot) (topology, bool) {
	if snap.desired.Total == 0 || !snap.known {
		return topology{}, false
	}
	t, in := snap.topology, pl.nextInput(snap)
	switch {
	case isNewer(snap.err):
		return pl.replaceNewer(snap, in)
	case snap.err == nil && pl.ignores(t):
		next := pl.restored(snap, in, t.Generation)
		next.Revision = 0 // the generation of the StatefulSet went back as well
		return next, true
	case snap.err == nil && (pl.implausible == nil || pl.joins):
		if next, ok := t.next(in); ok {
			return next, true
		}
		return t, snap.format > pl.format(snap) // a replica joined that does not know this format
	case pl.implausible != nil && in.Stale:
		return topology{}, false // a fresh list of the StatefulSet may confirm the topology
	case pl.last.Generation != 0:
		return pl.restored(snap, in, t.Generation), true
	case !pl.invalidSince.IsZero() && !pl.elapsed(snap.now, pl.invalidSince, pl.restoreDelay()):
		return topology{}, false
	}
	next, ok := topology{}.next(in)
	next.Generation = max(next.Generation, nextGeneration(t.Generation))
	return next, ok
}

// format returns the format in which to write the topology.
func (pl *planner) format(snap snapshot) int { return commonFormat(snap.readers(), snap.reports) }

// readers are the replicas that follow the topology: those of the StatefulSet, and those by which the
// fleet serves.
func (snap snapshot) readers() members {
	fleet := snap.desired.members()
	if serving := snap.topology.active(); serving.total > 0 {
		end := max(fleet.end(), serving.end())
		fleet.start = min(fleet.start, serving.start)
		fleet.total = end - fleet.start
	}
	return fleet
}

// nextInput returns the input of [topology.next].
func (pl *planner) nextInput(snap snapshot) nextInput {
	t := snap.topology
	in := nextInput{Desired: snap.desired, Reports: snap.reports, Now: snap.now, Uncoordinated: pl.uncoordinated}
	in.Stale = pl.isStale(snap)
	for _, r := range snap.reports {
		if r.isLeaving(snap.now) {
			pl.wakeBy(r.ServesUntil)
		}
	}
	if !snap.stopBy.IsZero() && pl.leaving && t.active().has(snap.desired.number()) {
		in.MustSwitch = pl.elapsed(snap.now, snap.stopBy, -forcedSwitchLead)
	}
	if t.scheduled() && t.SwitchAt.Equal(pl.scheduled.at) {
		in.SwitchOverdue = pl.elapsed(snap.now, pl.scheduled.seen, switchTimeout)
	}
	return in
}

// restored returns the last known topology under a new generation. Replicas have to report again
// that they hold the target. The target is set at once, so that replicas that serve by other tables join.
func (pl *planner) restored(snap snapshot, in nextInput, generation int64) topology {
	t := pl.followTopology(pl.last, snap)
	t.Generation, t.SwitchAt = max(t.Generation, generation, newestGeneration(in.Reports)), time.Time{}
	next, ok := t.retarget(in)
	if !ok {
		next.Generation = nextGeneration(t.Generation)
	}
	return next
}

// replaceNewer replaces a topology whose format no replica of the fleet knows any more, as after a
// rollback.
func (pl *planner) replaceNewer(snap snapshot, in nextInput) (topology, bool) {
	if othersKnowNewer(snap.desired.members(), snap.reports) || pl.plan.InTransition() {
		return topology{}, false
	}
	t, _ := topology{}.next(in)
	t.Generation = nextGeneration(max(t.Generation, pl.newer.Generation, pl.last.Generation))
	if pl.plan.Active > 0 {
		t.Active, t.Start = pl.plan.Active, snap.desired.number()-pl.plan.Ordinal
	}
	return t, true
}
