package shard

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// firstWord is how long a replica that has never known a topology leaves it to others to restore one that
	// is missing: they know what is served.
	firstWord = time.Second
	// firstLook is how long such a replica waits for the object itself, which somebody may be about to apply again.
	// Others follow what it said for longer (absence), so whoever has waited in vain doubles objects rather than
	// leaving them out.
	firstLook = 10 * time.Second
	// absence is how long a topology that was known is followed although its object is gone: whoever deleted it
	// may be about to apply it again, and until then nobody can tell the others what it does.
	absence = 30 * time.Second
	// oldNews is how long a replica takes it that it knows less than the one who chose the target.
	oldNews = 2 * time.Minute
)

// view is what a replica sees of its fleet at one moment.
type view struct {
	wanted Wanted            // Total 0: not known yet
	known  bool              // whether it is known if there is an object for the topology
	usable bool              // there is one, and this replica may read and write it
	absent bool              // there is none, and it may be read
	data   map[string]string // of that object
	now    time.Time

	standby bool  // replicas stand by for one another
	peers   peers // with that, the replicas that there are; nil: not known yet
}

// mind is what a replica keeps in mind from one view to the next. All its decisions are functions of that and
// of the view.
type mind struct {
	incarnation string
	pod         types.UID     // of this replica; "" when it is not known
	patience    time.Duration // that of a replica that has never known a topology; firstLook, in a test less

	plan     Plan      // Ordinal and all 0: none yet
	last     Topology  // the last one that could be followed, as it was read; zero while alone
	alone    bool      // the fleet cannot coordinate, as this replica sees it
	switched int64     // generation whose switch was made; it is not taken back, whatever the clock does
	empty    time.Time // since when there has been no topology to follow
	lost     time.Time // since when there has been no object that could be used
	missed   bool      // the object was not there when this replica began
	lagging  time.Time // since when the topology has been ahead of the StatefulSet
	problem  error     // why the topology cannot be followed; nil when it can
	duty     duty      // with standby
}

// look brings the plan up to date.
func (m *mind) look(v view) {
	if v.wanted.Total == 0 || !v.known || v.standby && v.peers == nil {
		return
	}
	m.decide(v)
	if m.plan.Active > 0 {
		m.standBy(v)
	}
}

// decide brings the tables of the plan up to date.
func (m *mind) decide(v view) {
	m.problem = nil
	if !v.usable {
		m.lose(v)
		return
	}
	m.lost = time.Time{}
	t, err := ParseTopology(v.data[topologyKey])
	switch {
	case err != nil:
		m.problem = err
		if m.empty.IsZero() {
			m.empty = v.now
		}
		if m.last.Generation == 0 {
			// As it is delivered there is nothing in it, and nobody has served yet.
			if delivered := len(v.data) == 0 && !m.missed; delivered || !m.hesitates(v, m.empty, min(firstWord, m.patience)) {
				m.goAlone(v)
			}
			return
		}
		t = m.last
	case m.alone && t.outdated(v.wanted):
		m.goAlone(v)
		return
	default:
		m.alone, m.last, m.empty = false, t, time.Time{}
	}
	m.plan = m.follow(t, v).Plan(v.wanted.Ordinal, v.now)
}

// follow returns the topology as it counts for this replica, which never goes back on a switch.
func (m *mind) follow(t Topology, v view) Topology {
	if t.At(v.now) != t {
		m.switched = t.Generation
	}
	if t.Generation == m.switched {
		return t.switched()
	}
	return t
}

// lose goes on without an object: by the topology that was known, and alone when it stays away.
func (m *mind) lose(v view) {
	if m.lost.IsZero() {
		m.lost = v.now
	}
	if m.last.Generation != 0 && v.now.Sub(m.lost) < absence {
		m.plan = m.follow(m.last, v).Plan(v.wanted.Ordinal, v.now)
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
func (m *mind) hesitates(v view, since time.Time, patience time.Duration) bool {
	return m.plan.Active == 0 && v.now.Sub(since) < patience
}

// goAlone plans by what is wanted. A replica outside of that keeps what it has until it is stopped: the new
// owners may not have it yet.
func (m *mind) goAlone(v view) {
	if v.wanted.Ranges() != nil {
		m.plan = Alone(v.wanted.Assignment)
	}
}

// report returns what this replica has to tell the others, if they do not know it yet.
func (m *mind) report(v view, holds bool) (Report, bool) {
	t := m.last
	ordinal := v.wanted.Ordinal
	if m.problem != nil || !v.usable || t.Target == 0 || ordinal < 0 || ordinal >= t.Target {
		return Report{}, false
	}
	is := Report{Generation: t.Generation, Target: t.Target, Holds: holds, Incarnation: m.incarnation, Pod: m.pod}
	was := parseReports(v.data)[ordinal]
	if !holds { // as silence would say
		return is, was.Holds && was.Generation == is.Generation && was.Target == is.Target
	}
	return is, !was.says(is)
}

// propose returns the topology that this replica would write.
func (m *mind) propose(v view) (Topology, bool) {
	if v.wanted.Total == 0 || !v.known {
		return Topology{}, false
	}
	s := Step{Wanted: v.wanted, Reports: parseReports(v.data), Now: v.now, Alone: m.alone}
	t, err := ParseTopology(v.data[topologyKey])
	switch {
	case err == nil:
		s.Wanted.Revision = m.revision(t, v)
		return t.Next(s)
	case m.last.Generation != 0:
		return m.restored(v, s), true
	case v.now.Sub(m.empty) < firstWord && !m.empty.IsZero():
		return Topology{}, false
	}
	return Topology{}.Next(s)
}

// restored is the last topology that was known, to be written again. Who holds what is asked anew.
func (m *mind) restored(v view, s Step) Topology {
	t := m.follow(m.last, v)
	t.Generation = after(max(t.Generation, newest(s.Reports)))
	t.SwitchAt = time.Time{}
	return t
}

// revision is that of the StatefulSet, unless the topology has been ahead of it for longer than any delay can
// explain.
func (m *mind) revision(t Topology, v view) int64 {
	if t.Set != v.wanted.Set || t.Revision <= v.wanted.Revision {
		m.lagging = time.Time{}
		return v.wanted.Revision
	}
	if m.lagging.IsZero() {
		m.lagging = v.now
	}
	if v.now.Sub(m.lagging) < oldNews {
		return v.wanted.Revision
	}
	return t.Revision
}
