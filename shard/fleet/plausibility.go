package fleet

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// staleRevisionTimeout is how long a replica that can list the StatefulSet assumes that others have
// read a newer revision of it. A list takes less. After that the revision in the topology does not
// exist.
const staleRevisionTimeout = 15 * time.Second

// implausibleError is why a replica does not follow a valid topology. Every client that may write
// the ConfigMap can write any number of shards into it, and a replica that followed a wrong number
// would serve next to nothing.
type implausibleError struct{ shards members }

func (e *implausibleError) Error() string {
	return fmt.Sprintf("topology has %d shards from pod %d on, "+
		"but neither the StatefulSet nor the reports of these replicas confirm that",
		e.shards.total, e.shards.start)
}

// checkPlausible returns an error if the topology is valid but implausible. joins is set if this replica
// nevertheless moves to the target, from the table by which it serves. Otherwise replicas that serve by
// different tables would replace one another's topology without end.
func (pl *planner) checkPlausible(obs observation) (joins bool, err error) {
	t := obs.topology
	if readable := obs.usable && obs.err == nil; !readable || pl.ignores(t) {
		return false, nil
	}
	if t.scheduled() && t.Target != 0 && !pl.isPlausible(obs, t.target()) {
		return false, &implausibleError{t.target()}
	}
	if !pl.isPlausible(obs, t.active()) {
		return t.Target != 0 && pl.last.Generation != 0, &implausibleError{t.active()}
	}
	return false, nil
}

// isPlausible reports whether something other than the topology confirms that the fleet serves by a
// table, or is about to: the StatefulSet wants it, this replica serves by it, this replica knew
// that it was scheduled, or the replicas of that table have reported. Reports of replicas that left
// are removed with the next change.
func (pl *planner) isPlausible(obs observation, shards members) bool {
	serving := members{obs.desired.number() - pl.plan.Ordinal, pl.plan.Active}
	if shards == obs.desired.members() || shards == serving || pl.last.scheduled() && shards == pl.last.target() {
		return true
	}
	reported, desired := 0, 0
	for number := range shards.numbers() {
		if _, ok := obs.reports[number]; ok {
			reported++
		} else if obs.desired.members().has(number) {
			desired++
		}
	}
	if pl.last.Generation == 0 {
		// This replica has just started and knows nothing else. Pods that never ran have not reported.
		return 2*(reported+desired) > shards.total
	}
	return reported == shards.total
}

// restoreDelay returns how long a replica that has just started waits before it replaces a topology
// that it cannot follow. It waits longer for a valid one, which others may have reason to follow.
func (pl *planner) restoreDelay() time.Duration {
	if pl.implausible != nil {
		return initialWait
	}
	return restoreGrace
}

// isStale reports whether the StatefulSet may be older than the one that the topology follows from. It
// may be for as long as it cannot be listed: a replica that wrote by it nevertheless, and one that knows
// the newer revision, would replace each other's topology without end.
func (pl *planner) isStale(obs observation) bool {
	if pl.staleSince.IsZero() {
		return false
	}
	return obs.desiredAsOf.Before(pl.firstStale) || !pl.elapsed(obs.now, pl.firstStale, staleRevisionTimeout)
}

// setRevision identifies one state of a StatefulSet.
type setRevision struct {
	set      types.UID
	revision int64
}

// updateStaleness finds out whether the topology follows from a revision of the StatefulSet that
// this replica has not seen. Then either its watch is late, or that revision does not exist any
// more. The loop lists the StatefulSet again to find out.
func (pl *planner) updateStaleness(obs observation) {
	switch is := (setRevision{obs.topology.Set, obs.topology.Revision}); {
	case !obs.usable, obs.err != nil, obs.topology.follows(obs.desired):
		pl.unknownRevision = setRevision{}
	case is != pl.unknownRevision:
		pl.unknownRevision, pl.staleSince = is, obs.now
	}
	if !obs.desiredAsOf.Before(pl.staleSince) {
		pl.staleSince = time.Time{}
	}
	if pl.staleSince.IsZero() || pl.firstStale.IsZero() {
		pl.firstStale = pl.staleSince
	}
}
