package fleet

import (
	"context"
	"errors"
	"time"
)

// Status is what a replica knows of its fleet.
type Status struct {
	Ordinal     int
	Desired     int  // replicas that the StatefulSet wants
	Coordinated bool // whether the fleet changes over together, as far as this replica can tell
	Generation  int64
	Active      int       // replicas in the table that is served by
	Target      int       // replicas in the table that is being prepared; 0 when nothing is
	StartedAt   time.Time // when that began; zero when nothing is being prepared
	Transitions Transitions

	Standby         bool // whether replicas stand by for one another
	ServesNeighbour bool // whether this replica serves the shard of the one before it
	ServedByStandby bool // whether the one after it serves the shard of this replica

	// Rejected counts the topologies that this replica did not follow because nothing explains the number of shards that
	// they name.
	Rejected int

	canStop bool // with Standby, another serves this replica's shard, or none can
	leaves  bool // the fleet shrinks by this replica, which serves until others have taken over
	start   int  // number of the pod that has ordinal 0 in the active table
	shift   int  // by how much that number is higher in the target's
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

// needed reports whether the replica has to serve on although it was asked to stop.
func (s Status) mustKeepServing() bool { return s.leaves || s.Standby && !s.canStop }

// HasStandby reports whether another replica stands by to take over from this one when it is asked to stop. It
// does as soon as the pod of this one is not ready.
func (s Status) HasStandby() bool { return s.Standby && !s.leaves }

// Drain waits while the replica serves what others are about to take over, because the fleet is to shrink or
// because another stands by, but not beyond ctx. When nobody will take over it returns within a second. Before the
// deadline of ctx, if it has one, a replica that leaves has the fleet switch to those who hold their part. The error is
// that of ctx. It may be called once.
func (c *Coordinator) Drain(ctx context.Context) error {
	c.stopping(ctx)
	c.waitForScaleDown(ctx)
	if c.Status().mustKeepServing() {
		c.log().Info("asked to stop; serving until others have taken over")
	}
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	for c.Status().mustKeepServing() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

const (
	drainPoll = 50 * time.Millisecond
	// noDeadline is how long a replica serves, if it has to, that was asked to stop without a deadline.
	noDeadline = 24 * time.Hour
	// exclusionWait is how long it can take to find out that the fleet is to shrink: the pod is deleted right after that is
	// decided, and may be told to stop before it knows why.
	exclusionWait = time.Second
)

// stopping tells the loop that the replica has been asked to stop.
func (c *Coordinator) stopping(ctx context.Context) {
	by, ok := ctx.Deadline()
	if !ok {
		by = time.Now().Add(noDeadline)
	}
	c.stopBy.Store(&by)
	if l := c.loop.Load(); l != nil {
		notify(l.changed)
	}
}

// waitForScaleDown waits until it is known that the fleet is to shrink by this replica, if it is.
func (c *Coordinator) waitForScaleDown(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, exclusionWait)
	defer cancel()
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	for s := c.Status(); s.Coordinated && !s.Standby && !s.leaves; s = c.Status() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// publish makes the status known, and logs what has changed.
func (l *loop) publishStatus(before planner, v snapshot) {
	m := &l.planner
	s := l.Status()
	s.Transitions.count(before.last, m.last)
	s.Ordinal, s.Desired = v.desired.Ordinal, v.desired.Total
	if m.plan.Active > 0 {
		s.Ordinal = m.plan.Ordinal
	}
	s.Coordinated = v.usable && !m.uncoordinated && m.last.Generation != 0 && !isNewer(m.problem)
	s.Generation, s.Active = m.last.Generation, m.plan.Active
	s.leaves = v.usable && !m.uncoordinated && m.leaving && m.isMember(v)
	s.start, s.shift = v.desired.number()-m.plan.Ordinal, m.plan.Shift
	s.Target, s.StartedAt = 0, time.Time{}
	if m.plan.InTransition() {
		s.Target, s.StartedAt = m.plan.Target, m.last.StartedAt
	}
	s.Standby, s.ServesNeighbour, s.ServedByStandby = m.plan.Standby, m.plan.ServesNeighbour, m.plan.ServedByStandby
	s.canStop, s.Rejected = m.canStop(v), m.rejected
	if s != l.Status() {
		l.status.Store(&s)
		l.logPlan(before)
	}
	l.logProblem(before)
}

// isNewer reports whether an error is that a newer version of statefleet has written the topology.
func isNewer(err error) bool {
	var newer *newerError
	return errors.As(err, &newer)
}

func (l *loop) logProblem(before planner) {
	m := &l.planner
	switch {
	case m.rewinds != before.rewinds:
		l.log.Warn("the versions of the topology ConfigMap have gone back, as those of a restored backup do; "+
			"reading the StatefulSet again", "overruled", m.ignores(l.store.read().topology))
	case isNewer(m.problem) && !isNewer(before.problem):
		l.log.Warn("keeping what this replica serves", "err", m.problem)
	case m.rejected != before.rejected:
		l.log.Warn("not following the topology; a client other than the fleet may have written it", "err", m.implausible)
	case m.problem != nil && before.problem == nil:
		l.log.Info("topology cannot be followed and will be written again", "err", m.problem)
	}
}

func (l *loop) logPlan(before planner) {
	p, was := l.planner.plan, before.plan
	if p.ServesNeighbour != was.ServesNeighbour {
		l.log.Info("standing by", "serves_neighbour", p.ServesNeighbour)
	}
	if p.ServedByStandby != was.ServedByStandby {
		l.log.Info("another replica stands by for this one", "serves_in_its_place", p.ServedByStandby)
	}
	switch {
	case p.Active == was.Active && p.Target == was.Target && p.Shift == was.Shift && p.NextOnly == was.NextOnly:
	case p.NextOnly:
		l.log.Warn("this replica was killed last time, for lack of memory it seems; "+
			"until the fleet has grown, it holds only what it will serve then", "shard", p.Ordinal, "active", p.Active, "target", p.Target, "longest", nextOnlyTimeout)
	case p.InTransition():
		l.log.Info("the fleet prepares a change", "shard", p.Ordinal, "active", p.Active, "target", p.Target,
			"generation", l.planner.last.Generation)
	default:
		l.log.Info("shard assigned", "shard", p.Ordinal, "total", p.Active)
	}
}

// count notes how a change has ended, if one has.
func (n *Transitions) count(was, is topology) {
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
