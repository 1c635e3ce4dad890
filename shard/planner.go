package shard

import (
	"cmp"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// restoreWait is how long a replica that has never known a topology leaves it to others to restore one that is
	// missing: they know what is served.
	restoreWait = time.Second
	// missingWait is how long such a replica waits for the object itself, which somebody may be about to apply again.
	// Others follow the last topology for longer (lastKnownFor), so a replica that has waited in vain doubles objects
	// rather than leaving them out.
	missingWait = 10 * time.Second
	// lastKnownFor is how long the last topology is followed although its object is gone: whoever deleted it may be about
	// to apply it again, and until then nobody can tell the others what it does.
	lastKnownFor = 30 * time.Second
	// excludedFor is how long after the fleet was to shrink a pod can be told to stop because of that.
	excludedFor = 30 * time.Second
	// lastChance is how long before it must end a leaving replica has the fleet switch: time to write that, to switch
	// (lead), and to hear of it.
	lastChance = 10 * time.Second
	// nextOnlyFor is how long a replica that was killed for lack of memory holds no more than its part of the target. It
	// is longer than a kubelet waits before it starts a container again, five minutes at most, so that all replicas of a
	// fleet that are killed again and again hold their parts at the same time.
	nextOnlyFor = 10 * time.Minute
)

// snapshot is what a replica knows of its fleet at one moment.
type snapshot struct {
	now       time.Time
	wanted    Wanted    // Total 0: not known yet
	confirmed time.Time // when the read of the StatefulSet began that wanted is from, or newer than
	excluded  time.Time // when the StatefulSet last did not want this replica
	stopBy    time.Time // when the replica must end; zero while it has not been asked to stop

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
	pod         types.UID     // of this replica; "" when it is not known
	killed      bool          // the pod's container was killed last time, as one is that takes more memory than it may
	patience    time.Duration // that of a replica that has never known a topology; missingWait, in a test less

	plan     Plan      // Ordinal and all 0: none yet
	last     Topology  // the last one that could be followed, as it was read; zero while alone
	alone    bool      // the fleet cannot coordinate, as this replica sees it
	switched decision  // whose switch was made; it is not taken back, whatever the clock does
	empty    time.Time // since when there has been no topology to follow
	lost     time.Time // since when there has been no object that could be used
	missed   bool      // the object was not there when this replica began
	problem  error     // why the topology cannot be followed; nil when it can
	newer    Topology  // what one says, as far as this replica understands it, that a newer version has written
	duty     duty      // with standby

	implausible error     // why the topology is not believed although it can be read; nil when it is
	rejected    int       // topologies that were not believed
	unexplained knowledge // of the last topology that the StatefulSet, as this replica knows it, does not explain
	doubt       time.Time // since when this replica may be behind; zero while it is not
	doubted     time.Time // the same, but later topologies that are not explained either do not renew it
	rewinds     int       // that were dealt with
	overruled   decision  // came back with a restored backup, and is not followed
	scheduled   schedule
	excluded    time.Time // when the fleet last was to go on without this replica
	leaving     bool      // it is to end because of that, if it is told to
	began       time.Time // when there was a plan first
	complete    bool      // all that a plan asks for was held once
	wake        time.Time // when to look again although nothing has happened; zero: never
}

// schedule is a switch whose instant is named.
type schedule struct{ at, seen time.Time }

// look brings the plan up to date.
func (m *planner) look(v snapshot) {
	m.wake = time.Time{}
	if v.wanted.Total == 0 || !v.known || v.standby && v.peers == nil {
		return
	}
	m.noteRewind(v)
	before := m.implausible
	if m.implausible = m.doubtful(v); m.implausible != nil && before == nil {
		m.rejected++
	}
	m.decide(v)
	m.noteKnowledge(v)
	m.noteExclusion(v)
	if m.plan.Active > 0 {
		m.standBy(v)
		m.limitHeld(v)
	}
}

// elapsed reports whether d has passed since an instant. If not, the planner looks again when it has.
func (m *planner) elapsed(now, since time.Time, d time.Duration) bool {
	end := since.Add(d)
	if now.Before(end) {
		m.lookAgain(end)
		return false
	}
	return true
}

func (m *planner) lookAgain(at time.Time) {
	if m.wake.IsZero() || at.Before(m.wake) {
		m.wake = at
	}
}

// decide brings the tables of the plan up to date.
func (m *planner) decide(v snapshot) {
	m.problem, m.newer = nil, Topology{}
	if !v.usable {
		m.lose(v)
		return
	}
	m.lost = time.Time{}
	t, problem := v.topology, cmp.Or(v.err, m.implausible)
	var newer *newerError
	switch {
	case errors.As(problem, &newer):
		m.keepServing(v, newer)
		return
	case problem != nil:
		m.problem = problem
		if m.empty.IsZero() {
			m.empty = v.now
		}
		if m.last.Generation == 0 {
			// As it is delivered there is nothing in it, and nobody has served yet.
			if delivered := v.empty && !m.missed; delivered || !m.hesitates(v, m.empty, m.restoreWait()) {
				m.goAlone(v)
			}
			return
		}
		t = m.last
	case m.overrules(t):
		t = m.last
	case m.alone && t.outdated(v.wanted):
		m.goAlone(v)
		return
	default:
		m.alone, m.last, m.empty = false, t, time.Time{}
	}
	m.plan = m.follow(t, v).Plan(v.wanted.number(), v.now)
}

// follow returns the topology as it counts for this replica, which never goes back on a switch.
func (m *planner) follow(t Topology, v snapshot) Topology {
	switch {
	case t.At(v.now) != t:
		m.switched = t.decision()
	case t.scheduled():
		m.lookAgain(t.SwitchAt)
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
// that starts serves by the table that it is told, if it knows how to cut that, and else by what is wanted: it must become
// ready for a rollback to go on.
func (m *planner) keepServing(v snapshot, newer *newerError) {
	m.problem, m.newer = newer, newer.shards
	switch {
	case m.last.Generation != 0:
		if m.newer.Active != 0 && m.last.target() == m.newer.active() {
			m.switched = m.last.decision()
		}
		m.plan = m.follow(m.last, v).Plan(v.wanted.number(), v.now)
	case m.plan.Active != 0:
	case m.newer.Active != 0:
		m.plan = m.newer.Plan(v.wanted.number(), v.now)
	default:
		m.goAlone(v)
	}
}

// noteRewind notes when the topology's object has gone back to an older state. If it says something else than before, that
// is not followed: nothing has changed in what the fleet serves, and not all replicas may be there that served then.
func (m *planner) noteRewind(v snapshot) {
	if v.rewinds == m.rewinds {
		return
	}
	m.rewinds, m.doubt = v.rewinds, v.now
	if v.err == nil && m.last.Generation != 0 && v.topology.decision() != m.last.decision() {
		m.overruled = v.topology.decision()
	}
}

func (m *planner) overrules(t Topology) bool {
	return m.overruled != decision{} && m.last.Generation != 0 && t.decision() == m.overruled
}

// noteExclusion notes whether the fleet is to go on without this replica. Once it has been asked to stop for that, it
// will end, whatever is wanted by then.
func (m *planner) noteExclusion(v snapshot) {
	t, number := m.last, v.wanted.number()
	if !v.wanted.members().has(number) || t.Target != 0 && t.active().has(number) && !t.target().has(number) {
		m.excluded = v.now
	}
	if v.excluded.After(m.excluded) {
		m.excluded = v.excluded
	}
	recently := v.now.Sub(m.excluded) < excludedFor
	m.leaving = recently || m.leaving && !v.stopBy.IsZero()
}

// needed reports whether the fleet counts on this replica, by the topology as it is written: a replica whose clock is ahead
// must not end before the others know that the fleet has switched.
func (m *planner) needed(v snapshot) bool {
	t, number := m.last, v.wanted.number()
	if m.newer.Active != 0 {
		return m.newer.active().has(number)
	}
	return t.active().has(number) || t.target().has(number) && (t.scheduled() || v.reports[number].prepared(t))
}

// limitHeld has a replica that was killed for lack of memory hold no more than it needs after the switch, if the fleet
// grows. Else it would be killed again before it can report, and the fleet could not be scaled out of that.
func (m *planner) limitHeld(v snapshot) {
	if m.began.IsZero() {
		m.began = v.now
	}
	p := &m.plan
	serves := p.Ordinal >= 0 && p.Ordinal < p.Active
	p.NextOnly = m.killed && !m.complete && serves && p.Grows() && !m.elapsed(v.now, m.began, nextOnlyFor)
}

// noteHeld notes whether the replica holds all that the plan asks for.
func (m *planner) noteHeld(held Held) {
	m.complete = m.complete || held.All && m.plan.Active > 0 && !m.plan.NextOnly
}

// lose goes on without an object: by the topology that was known, and alone when it stays away.
func (m *planner) lose(v snapshot) {
	if m.lost.IsZero() {
		m.lost = v.now
	}
	if m.last.Generation != 0 && !m.elapsed(v.now, m.lost, lastKnownFor) {
		m.plan = m.follow(m.last, v).Plan(v.wanted.number(), v.now)
		return
	}
	if v.absent && m.hesitates(v, m.lost, m.patience) {
		m.missed = true
		return
	}
	m.alone, m.last = true, Topology{}
	m.goAlone(v)
}

// hesitates reports whether a replica that has no plan yet leaves it to others to say what is served, for so long
// since there has been nothing that says it.
func (m *planner) hesitates(v snapshot, since time.Time, patience time.Duration) bool {
	return m.plan.Active == 0 && !m.elapsed(v.now, since, patience)
}

// goAlone plans by what is wanted. A replica outside of that keeps what it has until it is stopped: the new
// owners may not have it yet.
func (m *planner) goAlone(v snapshot) {
	if v.wanted.members().has(v.wanted.number()) {
		m.plan = Alone(v.wanted.Assignment)
	}
}
