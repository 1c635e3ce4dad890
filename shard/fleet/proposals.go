package fleet

import (
	"errors"
	"time"

	"github.com/statefleet/statefleet/shard"
)

// report returns what this replica has to tell the others, if they do not know it yet. While a switch is scheduled that
// waits: it would change nothing, and could get in the way of who writes that the switch was made.
func (m *planner) report(v snapshot, held shard.Held) (replicaReport, bool) {
	var newer *newerError
	if m.plan.Active == 0 || !v.usable || m.problem != nil && !errors.As(m.problem, &newer) {
		return replicaReport{}, false
	}
	t, number := m.last, v.desired.number()
	if t.scheduled() && m.problem == nil {
		return replicaReport{}, false
	}
	is := replicaReport{
		versions: versions{formatVersion, tableVersion}, Generation: t.Generation, Target: t.Target,
		Incarnation: m.incarnation, Pod: m.pod,
	}
	if m.problem == nil && v.stopBy.IsZero() {
		is.Holds = held.Next && t.target().has(number)
		is.Complete = is.Holds && held.All
	}
	if m.leaving && !v.stopBy.IsZero() && t.active().has(number) {
		is.ServesUntil = v.stopBy.Round(time.Second).UTC()
	}
	was, written := v.reports[number]
	switch {
	case is.Holds, !is.ServesUntil.IsZero():
		return is, !was.equivalent(is)
	case !was.ServesUntil.IsZero(), was.holdsTarget(t): // of the pod, or the process, before this one
		return is, true
	case !written || was.versions != is.versions: // others have to know before they change the format
		return is, v.desired.members().has(number)
	}
	return replicaReport{}, false
}

// propose returns the topology that this replica would write.
func (m *planner) propose(v snapshot) (topology, bool) {
	if v.desired.Total == 0 || !v.known {
		return topology{}, false
	}
	t, s := v.topology, m.step(v)
	var newer *newerError
	switch {
	case errors.As(v.err, &newer):
		return m.replaceNewer(v, s)
	case v.err == nil && m.ignores(t):
		next := m.restored(v, s, t.Generation)
		next.Revision = 0 // that of the StatefulSet has gone back as well
		return next, true
	case v.err == nil && m.implausible == nil:
		if next, ok := t.next(s); ok {
			return next, true
		}
		return t, v.format > m.format(v) // a replica has come that does not know it
	case m.implausible != nil && s.Stale:
		return topology{}, false // the StatefulSet, once it is read again, may explain it
	case m.last.Generation != 0:
		return m.restored(v, s, t.Generation), true
	case !m.invalidSince.IsZero() && !m.elapsed(v.now, m.invalidSince, m.restoreDelay()):
		return topology{}, false
	}
	next, ok := topology{}.next(s)
	next.Generation = max(next.Generation, nextGeneration(t.Generation))
	return next, ok
}

// format is the one to write a topology in.
func (m *planner) format(v snapshot) int {
	fleet := v.desired.members()
	if serving := v.topology.active(); serving.total > 0 {
		end := max(fleet.end(), serving.end())
		fleet.start = min(fleet.start, serving.start)
		fleet.total = end - fleet.start
	}
	return commonFormat(fleet, v.reports)
}

// step is what the next topology follows from.
func (m *planner) step(v snapshot) step {
	t := v.topology
	s := step{Desired: v.desired, Reports: v.reports, Now: v.now, Uncoordinated: m.uncoordinated}
	s.Stale = !m.staleSince.IsZero() && !m.elapsed(v.now, m.firstStale, staleRevisionTimeout)
	for _, r := range v.reports {
		if r.isLeaving(v.now) {
			m.wakeBy(r.ServesUntil)
		}
	}
	if !v.stopBy.IsZero() && m.leaving && t.active().has(v.desired.number()) {
		s.MustSwitch = m.elapsed(v.now, v.stopBy, -forcedSwitchLead)
	}
	if t.scheduled() && t.SwitchAt.Equal(m.scheduled.at) {
		s.SwitchOverdue = m.elapsed(v.now, m.scheduled.seen, switchTimeout)
	}
	return s
}

// restored is the last topology that was known, to be written again. Who holds what is asked anew.
func (m *planner) restored(v snapshot, s step, generation int64) topology {
	t := m.effective(m.last, v)
	t.Generation = nextGeneration(max(t.Generation, generation, newest(s.Reports)))
	t.SwitchAt = time.Time{}
	return t
}

// replaceNewer is for a topology in a format that no replica of the fleet knows any more, as after a rollback.
func (m *planner) replaceNewer(v snapshot, s step) (topology, bool) {
	if othersKnow(v.desired.members(), v.reports) || m.plan.InTransition() {
		return topology{}, false
	}
	t, _ := topology{}.next(s)
	t.Generation = nextGeneration(max(t.Generation, m.newer.Generation, m.last.Generation))
	if m.plan.Active > 0 {
		t.Active, t.Start = m.plan.Active, v.desired.number()-m.plan.Ordinal
	}
	return t, true
}
