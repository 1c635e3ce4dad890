package shard

import (
	"context"
	"time"
)

// Status is what a replica knows of its fleet.
type Status struct {
	Ordinal     int
	Wanted      int  // replicas that the StatefulSet wants
	Coordinated bool // whether the fleet changes over together, as far as this replica can tell
	Generation  int64
	Active      int       // replicas in the table that is served by
	Target      int       // replicas in the table that is being prepared; 0 when nothing is
	Since       time.Time // when that began; zero when nothing is being prepared
	Transitions Transitions

	Standby bool // whether replicas stand by for one another
	Covers  bool // whether this replica serves the shard of the one before it
	Covered bool // whether the one after it serves the shard of this replica

	relieved bool // with Standby, another serves this replica's shard, or none can
	recorded int  // replicas that serve or are to serve, by the topology as it is written, whatever the clock says
}

// Transitions counts the changes that this replica has seen come to an end.
type Transitions struct {
	Completed int
	Cancelled int // the StatefulSet went back to what was served already
	Replaced  int // by another target
}

// Status returns the present status; the zero Status before anything is known. It may be called at any time.
func (c *Coordinator) Status() Status {
	if s := c.status.Load(); s != nil {
		return *s
	}
	return Status{}
}

// leaving reports whether the replica is about to be removed and others are going to take over what it serves.
// It stays until the switch is written down, and not only come by its own clock: that may be ahead, and then
// nobody would tell the others.
func (s Status) leaving() bool {
	return s.Coordinated && s.Ordinal >= s.Wanted && s.Ordinal < s.recorded
}

// needed reports whether the replica has to serve on although it was asked to stop.
func (s Status) needed() bool { return s.leaving() || s.Standby && !s.relieved }

// HandsOver reports whether another replica stands by to take over from this one when it is asked to stop. It
// does as soon as the pod of this one is not ready.
func (s Status) HandsOver() bool { return s.Standby && !s.leaving() }

// Drain waits while the replica serves what others are about to take over, because the fleet is to shrink or
// because another stands by, but not beyond ctx. When nobody will take over it returns within a second. The error
// is that of ctx.
func (c *Coordinator) Drain(ctx context.Context) error {
	c.hearOut(ctx)
	if c.Status().needed() {
		c.log().Info("asked to stop; serving on until others have taken over")
	}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for c.Status().needed() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// hearsay is how long the news that the fleet is to shrink may be under way when the pod is asked to stop for it.
const hearsay = time.Second

// hearOut waits for that news: the pod is deleted right after it is decided, and may hear of the one before the other.
func (c *Coordinator) hearOut(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, hearsay)
	defer cancel()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for s := c.Status(); s.Coordinated && !s.Standby && !s.leaving(); s = c.Status() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// note publishes what has changed.
func (l *loop) note(before mind, v view) {
	m := &l.mind
	s := l.Status()
	s.Transitions.count(before.last, m.last)
	s.Ordinal, s.Wanted = v.wanted.Ordinal, v.wanted.Total
	s.Coordinated = v.usable && !m.alone && m.last.Generation != 0
	s.Generation, s.Active = m.last.Generation, m.plan.Active
	s.recorded = max(m.last.Active, m.last.Target)
	s.Target, s.Since = 0, time.Time{}
	if m.plan.Changing() {
		s.Target, s.Since = m.plan.Target, m.last.Since
	}
	s.Standby, s.Covers, s.Covered = m.plan.Standby, m.plan.Covers, m.plan.Covered
	s.relieved = m.relieved(v)
	if s != l.Status() {
		l.status.Store(&s)
		l.logPlan(before)
	}
	if m.problem != nil && before.problem == nil {
		l.log.Info("the fleet's topology cannot be followed; it will be written", "err", m.problem)
	}
}

func (l *loop) logPlan(before mind) {
	p, was := l.mind.plan, before.plan
	if p.Covers != was.Covers {
		l.log.Info("standing by", "serves_neighbour", p.Covers)
	}
	if p.Covered != was.Covered {
		l.log.Info("another replica stands by for this one", "serves_in_its_place", p.Covered)
	}
	switch {
	case p.Active == was.Active && p.Target == was.Target:
	case p.Changing():
		l.log.Info("the fleet prepares a change", "shard", p.Ordinal, "active", p.Active, "target", p.Target, "generation", l.mind.last.Generation)
	default:
		l.log.Info("shard assigned", "shard", p.Ordinal, "total", p.Active)
	}
}

// count notes how a change has ended, if one has.
func (n *Transitions) count(was, is Topology) {
	switch {
	case was.Target == 0 || is.Generation == 0:
	case is.Generation == was.Generation && is.Target == 0:
		n.Completed++
	case is.Generation == was.Generation:
	case is.Active == was.Target:
		n.Completed++
	case is.Target == 0:
		n.Cancelled++
	default:
		n.Replaced++
	}
}
