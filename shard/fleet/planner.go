package fleet

import (
	"cmp"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/shard"
)

const (
	// restoreGrace is how long a replica that has never known a topology leaves it to others to restore one that is
	// missing: they know what is served.
	restoreGrace = time.Second
	// initialWait is how long such a replica waits for the object itself, which somebody may be about to apply again.
	// Others follow the last topology for longer (topologyGrace), so a replica that has waited in vain doubles objects
	// rather than leaving them out.
	initialWait = 10 * time.Second
	// topologyGrace is how long the last topology is followed although its object is gone: whoever deleted it may be about
	// to apply it again, and until then nobody can tell the others what it does.
	topologyGrace = 30 * time.Second
	// exclusionWindow is how long after the fleet was to shrink a pod can be told to stop because of that.
	exclusionWindow = 30 * time.Second
	// forcedSwitchLead is how long before it must end a leaving replica has the fleet switch: time to write that, to switch
	// (switchLead), and to hear of it.
	forcedSwitchLead = 10 * time.Second
	// nextOnlyTimeout is how long a replica that was killed for lack of memory holds no more than its part of the target. It
	// is longer than a kubelet waits before it starts a container again, five minutes at most, so that all replicas of a
	// fleet that are killed again and again hold their parts at the same time.
	nextOnlyTimeout = 10 * time.Minute
)

// snapshot is what a replica knows of its fleet at one moment.
type snapshot struct {
	now         time.Time
	desired     desiredState // Total 0: not known yet
	desiredAsOf time.Time    // when the read of the StatefulSet began that desired is from, or newer than
	excluded    time.Time    // when the StatefulSet last did not want this replica
	stopBy      time.Time    // when the replica must end; zero while it has not been asked to stop

	known  bool // whether it is known if there is an object for the topology
	usable bool // there is one, and this replica may read and write it
	absent bool // there is none, and it may be read
	contents
	rewinds int // how often the versions of that object have gone back, as after etcd was restored from a backup

	standby bool  // replicas stand by for one another
	peers   peers // with that, the pods of the fleet, by their numbers; nil: not known yet
}

// planner decides what one replica serves and holds, and what it writes for the others. All its decisions are functions of
// what it remembers and of a snapshot; it is used by one goroutine.
type planner struct {
	incarnation string
	pod         types.UID // of this replica; "" when it is not known
	oomKilled   bool      // the pod's container was killed last time, as one is that takes more memory than it may

	plan             shard.Plan   // Ordinal and all 0: none yet
	last             topology     // the last one that could be followed, as it was read; zero while alone
	uncoordinated    bool         // the fleet cannot coordinate, as this replica sees it
	switched         decision     // whose switch was made; it is not taken back, whatever the clock does
	invalidSince     time.Time    // since when there has been no topology to follow
	unavailableSince time.Time    // since when there has been no object that could be used
	missingAtStart   bool         // the object was not there when this replica began
	problem          error        // why the topology cannot be followed; nil when it can
	newer            topology     // what one says, as far as this replica understands it, that a newer version has written
	standbyState     standbyState // with standby

	implausible     error       // why the topology is not believed although it can be read; nil when it is
	rejected        int         // topologies that were not believed
	unknownRevision setRevision // of the last topology that the StatefulSet, as this replica knows it, does not explain
	staleSince      time.Time   // since when this replica may be behind; zero while it is not
	firstStale      time.Time   // the same, but later topologies that are not explained either do not renew it
	rewinds         int         // that were dealt with
	ignored         decision    // came back with a restored backup, and is not followed
	scheduled       schedule
	excluded        time.Time // when the fleet last was to go on without this replica
	leaving         bool      // it is to end because of that, if it is told to
	firstPlanAt     time.Time // when there was a plan first
	heldAll         bool      // all that a plan asks for was held once
	wakeAt          time.Time // when to look again although nothing has happened; zero: never
}

// schedule is a switch whose instant is named.
type schedule struct{ at, seen time.Time }

// look brings the plan up to date.
func (m *planner) update(v snapshot) {
	m.wakeAt = time.Time{}
	if v.desired.Total == 0 || !v.known || v.standby && v.peers == nil {
		return
	}
	m.handleRewind(v)
	before := m.implausible
	if m.implausible = m.checkPlausible(v); m.implausible != nil && before == nil {
		m.rejected++
	}
	m.updateTables(v)
	m.updateStaleness(v)
	m.updateLeaving(v)
	if m.plan.Active > 0 {
		m.updateStandby(v)
		m.limitToTarget(v)
	}
}

// elapsed reports whether d has passed since an instant. If not, the planner looks again when it has.
func (m *planner) elapsed(now, since time.Time, d time.Duration) bool {
	end := since.Add(d)
	if now.Before(end) {
		m.wakeBy(end)
		return false
	}
	return true
}

func (m *planner) wakeBy(at time.Time) {
	if m.wakeAt.IsZero() || at.Before(m.wakeAt) {
		m.wakeAt = at
	}
}

// decide brings the tables of the plan up to date.
func (m *planner) updateTables(v snapshot) {
	m.problem, m.newer = nil, topology{}
	if !v.usable {
		m.onTopologyUnavailable(v)
		return
	}
	m.unavailableSince = time.Time{}
	t, problem := v.topology, cmp.Or(v.err, m.implausible)
	var newer *newerError
	switch {
	case errors.As(problem, &newer):
		m.keepServing(v, newer)
		return
	case problem != nil:
		m.problem = problem
		if m.invalidSince.IsZero() {
			m.invalidSince = v.now
		}
		if m.last.Generation == 0 {
			// As it is delivered there is nothing in it, and nobody has served yet.
			if delivered := v.empty && !m.missingAtStart; delivered || !m.shouldWait(v, m.invalidSince, m.restoreDelay()) {
				m.planUncoordinated(v)
			}
			return
		}
		t = m.last
	case m.ignores(t):
		t = m.last
	case m.uncoordinated && t.outdated(v.desired):
		m.planUncoordinated(v)
		return
	default:
		m.uncoordinated, m.last, m.invalidSince = false, t, time.Time{}
	}
	m.plan = m.effective(t, v).plan(v.desired.number(), v.now)
}

// follow returns the topology as it counts for this replica, which never goes back on a switch.
func (m *planner) effective(t topology, v snapshot) topology {
	switch {
	case t.at(v.now) != t:
		m.switched = t.decision()
	case t.scheduled():
		m.wakeBy(t.SwitchAt)
	}
	if !t.scheduled() || !t.SwitchAt.Equal(m.scheduled.at) {
		m.scheduled = schedule{t.SwitchAt, v.now}
	}
	if t.Target != 0 && t.decision() == m.switched {
		return t.switched()
	}
	return t
}

// keepServing goes on with what a newer version of statefleet has not changed, as far as this replica can tell. A replica
// that starts serves by the table that it is told, if it knows how to cut that, and else by what is desired: it must become
// ready for a rollback to go on.
func (m *planner) keepServing(v snapshot, newer *newerError) {
	m.problem, m.newer = newer, newer.shards
	switch {
	case m.last.Generation != 0:
		if m.newer.Active != 0 && m.last.target() == m.newer.active() {
			m.switched = m.last.decision()
		}
		m.plan = m.effective(m.last, v).plan(v.desired.number(), v.now)
	case m.plan.Active != 0:
	case m.newer.Active != 0:
		m.plan = m.newer.plan(v.desired.number(), v.now)
	default:
		m.planUncoordinated(v)
	}
}

// handleRewind notes when the topology's object has gone back to an older state. If it says something else than before, that
// is not followed: nothing has changed in what the fleet serves, and not all replicas may be there that served then.
func (m *planner) handleRewind(v snapshot) {
	if v.rewinds == m.rewinds {
		return
	}
	m.rewinds, m.staleSince = v.rewinds, v.now
	if v.err == nil && m.last.Generation != 0 && v.topology.decision() != m.last.decision() {
		m.ignored = v.topology.decision()
	}
}

func (m *planner) ignores(t topology) bool {
	return m.ignored != decision{} && m.last.Generation != 0 && t.decision() == m.ignored
}

// updateLeaving notes whether the fleet is to go on without this replica. Once it has been asked to stop for that, it
// will end, whatever is desired by then.
func (m *planner) updateLeaving(v snapshot) {
	t, number := m.last, v.desired.number()
	if !v.desired.members().has(number) || t.Target != 0 && t.active().has(number) && !t.target().has(number) {
		m.excluded = v.now
	}
	if v.excluded.After(m.excluded) {
		m.excluded = v.excluded
	}
	recently := v.now.Sub(m.excluded) < exclusionWindow
	m.leaving = recently || m.leaving && !v.stopBy.IsZero()
}

// needed reports whether the fleet counts on this replica, by the topology as it is written: a replica whose clock is ahead
// must not end before the others know that the fleet has switched.
func (m *planner) isMember(v snapshot) bool {
	t, number := m.last, v.desired.number()
	if m.newer.Active != 0 {
		return m.newer.active().has(number)
	}
	return t.active().has(number) || t.target().has(number) && (t.scheduled() || v.reports[number].holdsTarget(t))
}

// limitToTarget has a replica that was killed for lack of memory hold no more than it needs after the switch, if the fleet
// grows. Else it would be killed again before it can report, and the fleet could not be scaled out of that.
func (m *planner) limitToTarget(v snapshot) {
	if m.firstPlanAt.IsZero() {
		m.firstPlanAt = v.now
	}
	p := &m.plan
	serves := p.Ordinal >= 0 && p.Ordinal < p.Active
	p.NextOnly = m.oomKilled && !m.heldAll && serves && p.Grows() && !m.elapsed(v.now, m.firstPlanAt, nextOnlyTimeout)
}

// recordHeld notes whether the replica holds all that the plan asks for.
func (m *planner) recordHeld(held shard.Held) {
	m.heldAll = m.heldAll || held.All && m.plan.Active > 0 && !m.plan.NextOnly
}

// lose goes on without an object: by the topology that was known, and alone when it stays away.
func (m *planner) onTopologyUnavailable(v snapshot) {
	if m.unavailableSince.IsZero() {
		m.unavailableSince = v.now
	}
	if m.last.Generation != 0 && !m.elapsed(v.now, m.unavailableSince, topologyGrace) {
		m.plan = m.effective(m.last, v).plan(v.desired.number(), v.now)
		return
	}
	if v.absent && m.shouldWait(v, m.unavailableSince, initialWait) {
		m.missingAtStart = true
		return
	}
	m.uncoordinated, m.last = true, topology{}
	m.planUncoordinated(v)
}

// shouldWait reports whether a replica that has no plan yet leaves it to others to say what is served, for so long
// since there has been nothing that says it.
func (m *planner) shouldWait(v snapshot, since time.Time, grace time.Duration) bool {
	return m.plan.Active == 0 && !m.elapsed(v.now, since, grace)
}

// planUncoordinated plans by what is desired. A replica outside of that keeps what it has until it is stopped: the new
// owners may not have it yet.
func (m *planner) planUncoordinated(v snapshot) {
	if v.desired.members().has(v.desired.number()) {
		m.plan = shard.Uncoordinated(v.desired.Assignment)
	}
}
