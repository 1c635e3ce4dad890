package fleet

import (
	"time"

	"github.com/statefleet/statefleet/shard"
)

// report returns this replica's report, if it differs from the written one. While a switch is
// scheduled it returns none: a report would change nothing, and could conflict with the write that
// completes the switch.
func (pl *planner) report(obs observation, held shard.Held) (replicaReport, bool) {
	if pl.plan.Active == 0 || !obs.usable || pl.problem != nil && !isNewer(pl.problem) {
		return replicaReport{}, false
	}
	t, number := pl.last, obs.desired.number()
	if t.scheduled() && pl.problem == nil {
		return replicaReport{}, false
	}
	is := replicaReport{
		versions: versions{formatVersion, tableVersion}, Generation: t.Generation, Target: t.Target,
		Incarnation: pl.incarnation, Pod: pl.pod,
	}
	if pl.problem == nil && obs.stopBy.IsZero() {
		is.Holds = held.Target && t.target().has(number)
		is.Complete = is.Holds && held.All
	}
	if pl.leaving && !obs.stopBy.IsZero() && t.active().has(number) {
		is.ServesUntil = obs.stopBy.Round(time.Second).UTC()
	}
	was, written := obs.reports[number]
	switch {
	case is.Holds, !is.ServesUntil.IsZero():
		return is, !was.equivalent(is)
	case !was.ServesUntil.IsZero(), was.holdsTarget(t): // written by a previous pod or process
		return is, true
	case !written || was.versions != is.versions: // others need the versions before they change the format
		return is, obs.desired.members().has(number)
	}
	return replicaReport{}, false
}

// propose returns the topology that this replica would write.
func (pl *planner) propose(obs observation) (topology, bool) {
	if obs.desired.Total == 0 || !obs.known {
		return topology{}, false
	}
	t, in := obs.topology, pl.nextInput(obs)
	switch {
	case isNewer(obs.err):
		return pl.replaceNewer(obs, in)
	case obs.err == nil && pl.ignores(t):
		next := pl.restored(obs, in, t.Generation)
		next.Revision = 0 // the generation of the StatefulSet went back as well
		return next, true
	case obs.err == nil && (pl.implausible == nil || pl.joins):
		if next, ok := t.next(in); ok {
			return next, true
		}
		return t, obs.format > pl.format(obs) // a replica joined that does not know this format
	case pl.implausible != nil && in.Stale:
		return topology{}, false // a fresh list of the StatefulSet may confirm the topology
	case pl.last.Generation != 0:
		return pl.restored(obs, in, t.Generation), true
	case !pl.invalidSince.IsZero() && !pl.elapsed(obs.now, pl.invalidSince, pl.restoreDelay()):
		return topology{}, false
	}
	next, ok := topology{}.next(in)
	next.Generation = max(next.Generation, nextGeneration(t.Generation))
	return next, ok
}

// format returns the format in which to write the topology.
func (pl *planner) format(obs observation) int { return commonFormat(obs.readers(), obs.reports) }

// readers are the replicas that follow the topology: those of the StatefulSet, and those by which the
// fleet serves.
func (obs observation) readers() members {
	fleet := obs.desired.members()
	if serving := obs.topology.active(); serving.total > 0 {
		end := max(fleet.end(), serving.end())
		fleet.start = min(fleet.start, serving.start)
		fleet.total = end - fleet.start
	}
	return fleet
}

// nextInput returns the input of [topology.next].
func (pl *planner) nextInput(obs observation) nextInput {
	t := obs.topology
	in := nextInput{Desired: obs.desired, Reports: obs.reports, Now: obs.now, Uncoordinated: pl.uncoordinated}
	in.Stale = pl.isStale(obs)
	for _, r := range obs.reports {
		if r.isLeaving(obs.now) {
			pl.wakeBy(r.ServesUntil)
		}
	}
	if !obs.stopBy.IsZero() && pl.leaving && t.active().has(obs.desired.number()) {
		in.MustSwitch = pl.elapsed(obs.now, obs.stopBy, -forcedSwitchLead)
	}
	if t.scheduled() && t.SwitchAt.Equal(pl.scheduled.at) {
		in.SwitchOverdue = pl.elapsed(obs.now, pl.scheduled.seen, switchTimeout)
	}
	return in
}

// restored returns the last known topology under a new generation. Replicas have to report again
// that they hold the target. The target is set at once, so that replicas that serve by other tables join.
func (pl *planner) restored(obs observation, in nextInput, generation int64) topology {
	t := pl.followTopology(pl.last, obs)
	t.Generation, t.SwitchAt = max(t.Generation, generation, newestGeneration(in.Reports)), time.Time{}
	next, ok := t.retarget(in)
	if !ok {
		next.Generation = nextGeneration(t.Generation)
	}
	return next
}

// replaceNewer replaces a topology whose format no replica of the fleet knows any more, as after a
// rollback.
func (pl *planner) replaceNewer(obs observation, in nextInput) (topology, bool) {
	if othersKnowNewer(obs.desired.members(), obs.reports) || pl.plan.InTransition() {
		return topology{}, false
	}
	t, _ := topology{}.next(in)
	t.Generation = nextGeneration(max(t.Generation, pl.newer.Generation, pl.last.Generation))
	if pl.plan.Active > 0 {
		t.Active, t.Start = pl.plan.Active, obs.desired.number()-pl.plan.Ordinal
	}
	return t, true
}
