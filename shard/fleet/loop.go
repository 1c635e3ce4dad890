package fleet

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/statefleet/statefleet/shard"
)

const (
	fieldManager        = "statefleet"
	writeTimeout        = 10 * time.Second
	writeRetryInterval  = time.Second      // after a write that failed
	deniedRetryInterval = 10 * time.Second // after one that is not allowed
	// deniedGrace is how long the API server may refuse before the fleet takes that as permanent: one that has just
	// started refuses everything until it has read its roles.
	deniedGrace = 30 * time.Second
	// refreshMin is how soon a replica reads the object past its watch while the fleet prepares a change: well within
	// switchLead, so that it knows the instant of the switch although its watch is broken. It waits twice as long each time,
	// refreshMax at last, until the object changes.
	refreshMin = switchLead / 3
	refreshMax = 30 * time.Second
	// refreshIdle is how often it reads the object when nothing is prepared, which bounds how long a silent watch stays
	// unnoticed.
	refreshIdle = 30 * time.Second
	// minWait keeps a clock that stands still from turning the loop into a busy one.
	minWait = 5 * time.Millisecond
)

var (
	errForbidden = errors.New("topology ConfigMap may not be read")
	errMissing   = errors.New("topology ConfigMap does not exist")

	errNotWritten = errors.New("nothing was written")
)

// loop is a Coordinator at work. Its fields belong to the goroutine that runs it, but for the channels, what is safe for
// concurrent use, and desired, confirmed, excluded, heard, store and podTracker, which others write.
type loop struct {
	*Coordinator
	name        string // of the StatefulSet
	log         *slog.Logger
	planner     planner
	desired     atomic.Pointer[desiredState]
	desiredAsOf atomic.Pointer[time.Time] // when the last list of the StatefulSet that is complete began
	excluded    atomicTime                // when the StatefulSet last did not want this replica
	lastContact atomicTime                // of the StatefulSet
	store       *topologyStore
	podTracker  *podTracker // nil unless replicas stand by for one another

	changed  chan struct{} // told of whatever a decision may follow from
	selected chan struct{} // the StatefulSet's selector may have changed
	relist   chan struct{} // the StatefulSet is to be listed again

	unusable error // why the object cannot be used; nil when it can
	stopping bool  // the replica has been asked to stop

	writing           bool       // a write is under way
	written           chan error // its result
	writesDeniedSince time.Time  // since when writes are refused; zero when they are not
	writeErr          error      // why they are, once that is taken as permanent
	nextWrite         time.Time  // when the next write may be tried
	proposedFrom      string     // version of the object that the last proposal was made from

	version       string        // of the object that was looked at last
	refreshed     time.Time     // when the object was last read past its watch
	interval      time.Duration // until it is again, while a change is prepared
	lastRelist    time.Time     // when the StatefulSet was last listed again because this replica may be behind
	relistBackoff time.Duration // until it is again
}

// run looks at the fleet whenever something has changed, and when time alone may change a decision.
func (l *loop) run(ctx context.Context) {
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			if l.writing {
				l.log.Debug("the last write of the topology has ended with the replica", "err", <-l.written)
			}
			return
		case <-l.changed:
		case <-again.C:
		case err := <-l.written:
			l.onWriteDone(err)
		}
		again.Reset(waitTime(l.step(ctx)))
	}
}

// waitTime is for how long there is nothing to do, if nothing changes.
func waitTime(until time.Time) time.Duration {
	if until.IsZero() {
		return refreshIdle
	}
	return max(time.Until(until), minWait)
}

// step looks at the fleet, moves the member, and writes what is to be written. It returns when to look again although
// nothing has changed; zero: never.
func (l *loop) step(ctx context.Context) (again time.Time) {
	object, v, recheck := l.snapshot()
	before := l.planner
	m := &l.planner
	m.update(v)
	switch {
	case v.known && (v.usable || m.uncoordinated):
		l.logCoordination(l.unusable)
	case v.absent && before.unavailableSince.IsZero() && m.plan.Active == 0:
		l.log.Info("waiting for the topology ConfigMap, which does not exist", "longest", initialWait)
	}
	l.publishStatus(before, v)
	if m.plan != before.plan {
		l.Member.Follow(m.plan)
	}
	held := l.Member.Holds(m.plan)
	m.recordHeld(held)
	due := l.relistIfStale(v.now)
	if object != nil && !l.writing {
		due = earlier(due, l.act(ctx, object, v, held))
	}
	return earlier(earlier(due, m.wakeAt), recheck)
}

// earlier returns the earlier of two instants; a zero one is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// act writes what is to be written, or reads the object past its watch when it is time to. It returns when to act again.
func (l *loop) act(ctx context.Context, object *corev1.ConfigMap, v snapshot, held shard.Held) (again time.Time) {
	if v.now.Before(l.nextWrite) {
		return l.nextWrite
	}
	if l.writeErr != nil { // there may be nothing to write that would show that it is allowed again
		l.write(ctx, func(ctx context.Context) error { return l.store.probe(ctx, object) })
		return again
	}
	if r, ok := l.planner.report(v, held); ok {
		l.write(ctx, func(ctx context.Context) error { return l.store.report(ctx, v.desired.number(), r) })
		return again
	}
	if t, ok := l.planner.propose(v); ok && object.ResourceVersion != l.proposedFrom {
		l.proposedFrom = object.ResourceVersion
		format := l.planner.format(v)
		l.write(ctx, func(ctx context.Context) error { return l.store.propose(ctx, object, t, format) })
		return again
	}
	if due := l.refreshDue(object, v.now); v.now.Before(due) {
		return due
	}
	l.refreshed, l.interval = v.now, min(2*l.interval, refreshMax)
	l.write(ctx, l.store.refresh)
	return again
}

// refreshDue is when the object is to be read past its watch: soon while the fleet prepares a change, or others are known
// to have written what the watch has not brought.
func (l *loop) refreshDue(object *corev1.ConfigMap, now time.Time) time.Time {
	if object.ResourceVersion != l.version {
		l.version, l.interval, l.refreshed = object.ResourceVersion, refreshMin, now
	}
	if p := l.planner.plan; p.InTransition() && !p.SwitchScheduled || object.ResourceVersion == l.proposedFrom {
		return l.refreshed.Add(l.interval)
	}
	return l.refreshed.Add(refreshIdle)
}

// relistIfStale has the StatefulSet listed again while this replica may know less of it than the others. It returns when to do
// so again.
func (l *loop) relistIfStale(now time.Time) (again time.Time) {
	if l.planner.staleSince.IsZero() {
		l.lastRelist, l.relistBackoff = time.Time{}, refreshMin
		return again
	}
	if due := l.lastRelist.Add(l.relistBackoff); now.Before(due) {
		return due
	}
	l.log.Info("listing the StatefulSet again, since others know more of it or its versions have gone back")
	l.lastRelist, l.relistBackoff = now, min(2*l.relistBackoff, refreshMax)
	notify(l.relist)
	return l.lastRelist.Add(l.relistBackoff)
}

// snapshot is what this replica knows now. recheck is when it knows more although nothing has happened; zero: never.
func (l *loop) snapshot() (object *corev1.ConfigMap, v snapshot, recheck time.Time) {
	s := l.store.read()
	v = snapshot{now: time.Now(), known: s.known, contents: s.contents, rewinds: s.rewinds, excluded: l.excluded.load()}
	if w := l.desired.Load(); w != nil {
		v.desired = *w
	}
	if began := l.desiredAsOf.Load(); began != nil {
		v.desiredAsOf = *began
	}
	l.recordStop(&v)
	err := s.err
	if err == nil {
		err = l.writeErr
	}
	v.usable, v.absent = err == nil && s.object != nil, errors.Is(err, errMissing)
	l.unusable, recheck = err, s.recheck
	if l.podTracker != nil {
		all, known, denied, at := l.podTracker.read()
		v.standby, recheck = !denied, earlier(recheck, at)
		if known {
			v.peers = all
		}
	}
	return s.object, v, recheck
}

// recordStop notes whether the replica has been asked to stop. It finds out at once whether the fleet is to shrink, whatever
// its watches have brought.
func (l *loop) recordStop(v *snapshot) {
	by := l.stopBy.Load()
	if by == nil {
		return
	}
	v.stopBy = *by
	if !l.stopping {
		l.stopping = true
		l.refreshed = time.Time{}
		notify(l.relist)
	}
}

func (l *loop) logCoordination(err error) {
	switch {
	case err != nil && l.coordination.changedTo(err.Error()):
		l.log.Warn("this replica changes its shard without waiting for the others", "err", err)
	case err == nil && l.coordination.changedTo(""):
		l.log.Info("this replica changes its shard together with the others again")
	}
}

// write starts a write, or a read. There is one at a time, and none holds the loop up.
func (l *loop) write(ctx context.Context, what func(ctx context.Context) error) {
	l.writing = true
	go func() {
		ctx, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		l.written <- what(ctx)
	}()
}

func (l *loop) onWriteDone(err error) {
	l.writing = false
	switch {
	case err == nil:
		l.writeErr, l.writesDeniedSince = nil, time.Time{}
		return
	case errors.Is(err, errNotWritten):
		return
	case apierrors.IsConflict(err): // another one was quicker; what it wrote is on its way here
		return
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err):
		l.onWriteDenied(err)
	default:
		l.log.Warn("cannot write the fleet's topology; trying again", "err", err)
		l.nextWrite = time.Now().Add(writeRetryInterval)
	}
	l.proposedFrom = ""
}

// refuse notes that a write is not allowed. A replica that knows of no topology goes alone at once, others when
// that lasts.
func (l *loop) onWriteDenied(err error) {
	now := time.Now()
	if l.writesDeniedSince.IsZero() {
		l.writesDeniedSince = now
	}
	l.nextWrite = now.Add(writeRetryInterval)
	if l.writeErr != nil || l.planner.last.Generation == 0 || now.Sub(l.writesDeniedSince) > deniedGrace {
		l.writeErr, l.nextWrite = err, now.Add(deniedRetryInterval)
	}
}

// notify tells a receiver that may be busy that something has changed.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
