package fleet

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// staleRevisionTimeout is how long a replica believes that others know a newer state of the StatefulSet than it reads itself. A read
// past the watch takes less, so after that the topology names a state that does not exist.
const staleRevisionTimeout = 15 * time.Second

// implausibleError is why a topology is not followed that can be read. Everybody who may write the ConfigMap can write
// any number of shards into it, and a replica that followed a wrong one would serve next to nothing.
type implausibleError struct{ named members }

func (e *implausibleError) Error() string {
	return fmt.Sprintf("topology names %d shards from pod %d on: neither the StatefulSet nor reports of these replicas explain that",
		e.named.total, e.named.start)
}

// checkPlausible returns why the topology is not to be followed. It returns nil if the topology is plausible or cannot be read.
func (m *planner) checkPlausible(v snapshot) error {
	t := v.topology
	if readable := v.usable && v.err == nil; !readable || m.ignores(t) {
		return nil
	}
	named := []members{t.active()}
	if t.scheduled() && t.Target != 0 {
		named = append(named, t.target())
	}
	for _, n := range named {
		if !m.isPlausible(v, n) {
			return &implausibleError{n}
		}
	}
	return nil
}

// explains reports whether what the replica knows besides the topology explains that the fleet serves, or is about to
// serve, by a table: the StatefulSet wants it, the replica serves by it already or knew that it would, or the replicas of
// that table have reported. Reports of replicas that have left are removed with the next change.
func (m *planner) isPlausible(v snapshot, named members) bool {
	serving := members{v.desired.number() - m.plan.Ordinal, m.plan.Active}
	if named == v.desired.members() || named == serving || m.last.scheduled() && named == m.last.target() {
		return true
	}
	reported, desired := 0, 0
	for number := range named.numbers() {
		if _, ok := v.reports[number]; ok {
			reported++
		} else if v.desired.members().has(number) {
			desired++
		}
	}
	if m.last.Generation == 0 {
		// The replica has just started and knows nothing else. Pods that have never run have not reported.
		return 2*(reported+desired) > named.total
	}
	return reported == named.total
}

// restoreGrace is how long a replica that knows no topology waits before it writes one in the place of one that cannot be
// followed. Where that can be read, others may have reason to follow it.
func (m *planner) restoreDelay() time.Duration {
	if m.implausible != nil {
		return initialWait
	}
	return min(restoreGrace, initialWait)
}

// setRevision is a state of a StatefulSet.
type setRevision struct {
	set      types.UID
	revision int64
}

// updateStaleness notes whether others have decided by a state of the StatefulSet that this replica does not know. Either it
// is behind, or nobody knows such a state any more. It reads the StatefulSet past its watch to find out.
func (m *planner) updateStaleness(v snapshot) {
	switch is := (setRevision{v.topology.Set, v.topology.Revision}); {
	case !v.usable, v.err != nil, v.topology.follows(v.desired):
		m.unknownRevision = setRevision{}
	case is != m.unknownRevision:
		m.unknownRevision, m.staleSince = is, v.now
	}
	if !v.desiredAsOf.Before(m.staleSince) {
		m.staleSince = time.Time{}
	}
	if m.staleSince.IsZero() || m.firstStale.IsZero() {
		m.firstStale = m.staleSince
	}
}
