package shard

import (
	"errors"
	"time"
)

// report returns what this replica has to tell the others, if they do not know it yet. While a switch is scheduled that
// waits: it would change nothing, and could get in the way of who writes that the switch was made.
func (m *planner) report(v snapshot, held Held) (Report, bool) {
	var newer *newerError
	if m.plan.Active == 0 || !v.usable || m.problem != nil && !errors.As(m.problem, &newer) {
		return Report{}, false
	}
	t, number := m.last, v.wanted.number()
	if t.scheduled() && m.problem == nil {
		return Report{}, false
	}
	is := Report{
		versions: versions{formatVersion, tableVersion}, Generation: t.Generation, Target: t.Target,
		Incarnation: m.incarnation, Pod: m.pod,
	}
	if m.problem == nil && v.stopBy.IsZero() {
		is.Holds = held.Next && t.target().has(number)
		is.Complete = is.Holds && held.All
	}
	if m.leaving && !v.stopBy.IsZero() && t.active().has(number) {
		is.Until = v.stopBy.Round(time.Second).UTC()
	}
	was, written := v.reports[number]
	switch {
	case is.Holds, !is.Until.IsZero():
		return is, !was.says(is)
	case !was.Until.IsZero(), was.prepared(t): // of the pod, or the process, before this one
		return is, true
	case !written || was.versions != is.versions: // others have to know before they change the format
		return is, v.wanted.members().has(number)
	}
	return Report{}, false
}

// propose returns the topology that this replica would write.
func (m *planner) propose(v snapshot) (Topology, bool) {
	if v.wanted.Total == 0 || !v.known {
		return Topology{}, false
	}
	t, s := v.topology, m.step(v)
	var newer *newerError
	switch {
	case errors.As(v.err, &newer):
		return m.replaceNewer(v, s)
	case v.err == nil && m.overrules(t):
		next := m.restored(v, s, t.Generation)
		next.Revision = 0 // that of the StatefulSet has gone back as well
		return next, true
	case v.err == nil && m.implausible == nil:
		if next, ok := t.Next(s); ok {
			return next, true
		}
		return t, v.format > m.format(v) // a replica has come that does not know it
	case m.implausible != nil && s.Behind:
		return Topology{}, false // the StatefulSet, once it is read again, may explain it
	case m.last.Generation != 0:
		return m.restored(v, s, t.Generation), true
	case !m.empty.IsZero() && !m.elapsed(v.now, m.empty, m.restoreWait()):
		return Topology{}, false
	}
	next, ok := Topology{}.Next(s)
	next.Generation = max(next.Generation, after(t.Generation))
	return next, ok
}

// format is the one to write a topology in.
func (m *planner) format(v snapshot) int {
	fleet := v.wanted.members()
	if serving := v.topology.active(); serving.total > 0 {
		end := max(fleet.end(), serving.end())
		fleet.start = min(fleet.start, serving.start)
		fleet.total = end - fleet.start
	}
	return commonFormat(fleet, v.reports)
}

// step is what the next topology follows from.
func (m *planner) step(v snapshot) Step {
	t := v.topology
	s := Step{Wanted: v.wanted, Reports: v.reports, Now: v.now, Alone: m.alone}
	s.Behind = !m.doubt.IsZero() && !m.elapsed(v.now, m.doubted, trustedFor)
	for _, r := range v.reports {
		if r.leaves(v.now) {
			m.lookAgain(r.Until)
		}
	}
	if !v.stopBy.IsZero() && m.leaving && t.active().has(v.wanted.number()) {
		s.LastChance = m.elapsed(v.now, v.stopBy, -lastChance)
	}
	if t.scheduled() && t.SwitchAt.Equal(m.scheduled.at) {
		s.Overdue = m.elapsed(v.now, m.scheduled.seen, switchWait)
	}
	return s
}

// restored is the last topology that was known, to be written again. Who holds what is asked anew.
func (m *planner) restored(v snapshot, s Step, generation int64) Topology {
	t := m.follow(m.last, v)
	t.Generation = after(max(t.Generation, generation, newest(s.Reports)))
	t.SwitchAt = time.Time{}
	return t
}

// replaceNewer is for a topology in a format that no replica of the fleet knows any more, as after a rollback.
func (m *planner) replaceNewer(v snapshot, s Step) (Topology, bool) {
	if othersKnow(v.wanted.members(), v.reports) || m.plan.Changing() {
		return Topology{}, false
	}
	t, _ := Topology{}.Next(s)
	t.Generation = after(max(t.Generation, m.newer.Generation, m.last.Generation))
	if m.plan.Active > 0 {
		t.Active, t.Start = m.plan.Active, v.wanted.number()-m.plan.Ordinal
	}
	return t, true
}
