package fleet

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
)

// Status is what a replica knows about its fleet.
type Status struct {
	Ordinal     int         `json:"ordinal"`
	Desired     int         `json:"desired"`     // replicas that the StatefulSet specifies
	Coordinated bool        `json:"coordinated"` // whether this replica coordinates with the fleet
	Generation  int64       `json:"generation"`
	Active      int         `json:"active"`             // replicas in the table by which the fleet serves
	Target      int         `json:"target"`             // replicas in the table that the fleet prepares; 0 outside a transition
	StartedAt   time.Time   `json:"startedAt,omitzero"` // when the transition began; zero outside one
	Transitions Transitions `json:"transitions"`

	Standby         bool `json:"standby"`         // whether replicas stand by for one another
	ServesNeighbour bool `json:"servesNeighbour"` // whether this replica serves the shard of the one before it
	ServedByStandby bool `json:"servedByStandby"` // whether the replica after this one serves this replica's shard

	// Rejected counts the topologies that this replica did not follow because nothing confirms
	// their number of shards.
	Rejected int `json:"rejected"`

	canStop bool // with Standby: the standby serves this replica's shard, or there is none
	leaves  bool // a scale-down removes this replica, which serves until others have taken over
	start   int  // number of the pod with ordinal 0 in the active table
	shift   int  // by how much that number is higher in the target table
}

// Transitions counts the transitions that this replica has seen end.
type Transitions struct {
	Completed int `json:"completed"`
	Cancelled int `json:"cancelled"` // the StatefulSet went back to the active table
	Replaced  int `json:"replaced"`  // the StatefulSet specified another target
}

// Status returns the current status; the zero Status before anything is known. It is safe for
// concurrent use.
func (c *Coordinator) Status() Status { return load(&c.status) }

// mustKeepServing reports whether a replica that was asked to stop must keep serving.
func (s Status) mustKeepServing() bool { return s.leaves || s.Standby && !s.canStop }

// HasStandby reports whether another replica takes over when this one stops. It does so as soon as
// this pod is not ready.
func (s Status) HasStandby() bool { return s.Standby && !s.leaves }

// Drain waits until other replicas have taken over this replica's objects, because of a scale-down
// or because another replica stands by, but not beyond ctx. If no replica will take over, it
// returns within a second. A leaving replica makes the fleet switch shortly before the deadline of
// ctx, if there is one. A replica whose pod no longer exists stops waiting after some seconds. The
// error is that of ctx. Call Drain once.
func (c *Coordinator) Drain(ctx context.Context) error {
	stopBy, ok := ctx.Deadline()
	if !ok {
		stopBy = time.Now().Add(noDeadline)
	}
	c.stopBy.Store(&stopBy)
	c.HoldsChanged() // wakes the loop
	// The replica may not know yet that a scale-down removes it.
	learning, cancelLearning := context.WithTimeout(ctx, scaleDownWait)
	defer cancelLearning()
	_ = c.poll(learning, func(s Status) bool { return !s.Coordinated || s.Standby || s.leaves })
	if !c.Status().mustKeepServing() {
		return nil
	}
	c.log().Info("asked to stop; serving until others have taken over")
	var asking sync.WaitGroup
	defer asking.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var gone atomic.Bool
	asking.Go(func() { gone.Store(c.awaitPodGone(ctx)) })
	return c.poll(ctx, func(s Status) bool { return !s.mustKeepServing() || gone.Load() })
}

// awaitPodGone waits until the API server refuses the replica's token, and returns true then; false
// once ctx ends. A token is bound to its pod, so the pod no longer exists: it was deleted while its
// node was cut off. Without the token this replica cannot learn that others have taken over. A
// single refusal does not count, since an API server that starts may refuse a valid token.
func (c *Coordinator) awaitPodGone(ctx context.Context) bool {
	refused := 0
	err := wait.PollUntilContextCancel(ctx, podInterval, false, func(ctx context.Context) (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, podTimeout)
		defer cancel()
		if _, err := c.Client.Pods.Get(ctx, c.Pod); !apierrors.IsUnauthorized(err) {
			refused = 0
			return false, nil
		}
		refused++
		return refused == 2, nil
	})
	if err == nil {
		c.log().Info("stopping without waiting: the API server refuses the token, so the pod no longer exists")
	}
	return err == nil
}

// poll waits until the status fulfils a condition. The error is that of ctx.
func (c *Coordinator) poll(ctx context.Context, condition func(Status) bool) error {
	return wait.PollUntilContextCancel(ctx, drainPoll, true, func(context.Context) (bool, error) {
		return condition(c.Status()), nil
	})
}

const (
	drainPoll = 50 * time.Millisecond
	// podInterval is how often a replica that was asked to stop checks whether its token is still valid.
	podInterval = 2 * time.Second
	// noDeadline is the time until the deadline of a replica that was asked to stop without one.
	noDeadline = 24 * time.Hour
	// scaleDownWait is how long it can take to learn of a scale-down. The pod is deleted right
	// after the StatefulSet was changed, and may receive its termination signal before the watch
	// delivers the change.
	scaleDownWait = time.Second
)

// publishStatus updates the status and logs what has changed.
func (l *loop) publishStatus(before planner, obs observation) {
	pl := &l.planner
	s := l.Status()
	s.Transitions.count(before.last, pl.last)
	s.Ordinal, s.Desired = obs.desired.Ordinal, obs.desired.Total
	if pl.plan.Active > 0 {
		s.Ordinal = pl.plan.Ordinal
	}
	s.Coordinated = obs.usable && !pl.uncoordinated && pl.last.Generation != 0 && !isNewer(pl.problem)
	s.Generation, s.Active = pl.last.Generation, pl.plan.Active
	s.leaves = obs.usable && !pl.uncoordinated && pl.leaving && pl.isMember(obs)
	s.start, s.shift = obs.desired.number()-pl.plan.Ordinal, pl.plan.Shift
	s.Target, s.StartedAt = 0, time.Time{}
	if pl.plan.InTransition() {
		s.Target, s.StartedAt = pl.plan.Target, pl.last.StartedAt
	}
	s.Standby, s.ServesNeighbour, s.ServedByStandby = pl.plan.Standby, pl.plan.ServesNeighbour, pl.plan.ServedByStandby
	s.canStop, s.Rejected = pl.canStop(obs), pl.rejected
	if s != l.Status() {
		l.status.Store(&s)
		l.logPlan(before)
	}
	l.logProblem(before, obs)
}

// isNewer reports whether an error is a [newerError].
func isNewer(err error) bool {
	_, ok := errors.AsType[*newerError](err)
	return ok
}

func (l *loop) logProblem(before planner, obs observation) {
	pl := &l.planner
	switch {
	case pl.rewinds != before.rewinds:
		l.log.Warn("the resourceVersion of the topology ConfigMap went back, as after a restore of etcd; "+
			"listing the StatefulSet again", "overruled", pl.ignores(obs.topology))
	case isNewer(pl.problem) && !isNewer(before.problem):
		l.log.Warn("keeping the current plan", "err", pl.problem)
	case pl.rejected != before.rejected:
		l.log.Warn("not following the topology; a client outside the fleet may have written it", "err", pl.implausible)
	case pl.problem != nil && before.problem == nil:
		l.log.Info("topology is invalid and will be replaced", "err", pl.problem)
	}
}

func (l *loop) logPlan(before planner) {
	p, was := l.planner.plan, before.plan
	if p.ServesNeighbour != was.ServesNeighbour {
		l.log.Info("standby of the neighbour", "serves_neighbour", p.ServesNeighbour)
	}
	if p.ServedByStandby != was.ServedByStandby {
		l.log.Info("standby of this replica", "serves_in_its_place", p.ServedByStandby)
	}
	switch {
	case p.Active == was.Active && p.Target == was.Target && p.Shift == was.Shift && p.TargetOnly == was.TargetOnly:
	case p.TargetOnly:
		l.log.Warn("the previous container of this pod was killed, probably for lack of memory; "+
			"until the fleet has grown, this replica holds only its part of the target",
			"shard", p.Ordinal, "active", p.Active, "target", p.Target, "longest", targetOnlyTimeout)
	case p.InTransition():
		l.log.Info("transition started", "shard", p.Ordinal, "active", p.Active, "target", p.Target,
			"generation", l.planner.last.Generation)
	default:
		l.log.Info("shard assigned", "shard", p.Ordinal, "total", p.Active)
	}
}

// count counts a transition that has ended.
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
