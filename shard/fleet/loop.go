package fleet

import (
	"cmp"
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
	writeTimeout        = 10 * time.Second
	writeRetryInterval  = time.Second      // after a write that failed
	deniedRetryInterval = 10 * time.Second // after a write that RBAC denied
	// deniedGrace is how long the API server may answer 403, from the first to the last such answer,
	// before that counts as permanent. An API server that has just started denies everything until it
	// has loaded its roles.
	deniedGrace = 30 * time.Second
	// refreshMin is how soon a replica reads the ConfigMap without its watch during a transition.
	// It is well within switchLead, so that the replica learns the time of the switch although its
	// watch has failed. The interval doubles up to refreshMax until the object changes.
	refreshMin = switchLead / 3
	refreshMax = 30 * time.Second
	// refreshIdle is the interval of these reads outside a transition. It limits how long a silent
	// watch stays unnoticed.
	refreshIdle = 30 * time.Second
	// minWait keeps the loop from spinning if the clock stands still.
	minWait = 5 * time.Millisecond
)

var (
	errForbidden  = errors.New("topology ConfigMap may not be read")
	errImmutable  = errors.New("topology ConfigMap is immutable; delete it, and create it again without immutable: true")
	errMissing    = errors.New("topology ConfigMap does not exist")
	errNotWritten = errors.New("nothing was written")
)

// loop is the running part of a Coordinator. Its fields belong to the goroutine in run, except for
// the channels, the values that are safe for concurrent use, and the watchers.
type loop struct {
	*Coordinator
	name       string // of the StatefulSet
	log        *slog.Logger
	planner    planner
	desired    atomic.Pointer[observedDesired] // nil before the StatefulSet was read
	sets       *statefulSetWatcher
	store      topologyStore
	podTracker *podTracker

	changed  chan struct{} // notified of everything that a decision depends on
	selected chan struct{} // notified when the StatefulSet's selector is known

	stopping bool // the replica was asked to stop

	writing           bool       // a write is in progress
	written           chan error // its result
	writesDeniedSince time.Time  // since when writes are denied; else zero
	writeErr          error      // why writes are denied, once that counts as permanent
	nextWrite         time.Time  // when the next write may start
	proposedFrom      string     // resourceVersion on which the last proposal was based

	version       string        // resourceVersion that the loop saw last
	refreshed     time.Time     // when the object was last read without its watch
	interval      time.Duration // until the next such read during a transition
	lastRelist    time.Time     // when a possibly stale StatefulSet was last listed again
	relistBackoff time.Duration // until the next such list
}

// run steps whenever something has changed, and when time alone may change a decision.
func (l *loop) run(ctx context.Context) {
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			if l.writing {
				l.log.Debug("the last write of the topology ended with the replica", "err", <-l.written)
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

// waitTime returns how long to wait for the next step if nothing changes.
func waitTime(until time.Time) time.Duration {
	if until.IsZero() {
		return refreshIdle
	}
	return max(time.Until(until), minWait)
}

// step updates the plan, passes it to the member, and starts a write or read if one is due. It
// returns when to step again without an event; zero: never.
func (l *loop) step(ctx context.Context) (again time.Time) {
	object, obs, unusable := l.observe()
	before := l.planner
	pl := &l.planner
	pl.update(obs)
	switch {
	case obs.known && (obs.usable || pl.uncoordinated):
		l.logCoordination(unusable)
	case before.unavailableSince.IsZero() && !pl.unavailableSince.IsZero() && obs.absent && pl.plan.Active == 0:
		l.log.Info("waiting for the topology ConfigMap, which does not exist", "longest", initialWait)
	}
	l.publishStatus(before, obs)
	if pl.rewinds != before.rewinds {
		l.proposedFrom = "" // a restored backup may have that version again
	}
	if pl.plan != before.plan {
		l.Member.Follow(pl.plan)
	}
	held := l.Member.Holds(pl.plan)
	pl.recordHeld(held)
	due := l.relistIfStale(obs.now)
	if object != nil && !l.writing {
		due = earlier(due, l.act(ctx, object, obs, held))
	}
	return earlier(due, pl.wakeAt)
}

// earlier returns the earlier of two instants. A zero instant is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// act starts a write if one is due, or else a read of the ConfigMap if that is due. It returns when
// to act again.
func (l *loop) act(ctx context.Context, object *corev1.ConfigMap, obs observation, held shard.Held) (again time.Time) {
	if obs.now.Before(l.nextWrite) {
		return l.nextWrite
	}
	if l.writeErr != nil { // without a probe, no write might ever show that RBAC allows them again
		l.write(ctx, func(ctx context.Context) error { return l.store.probe(ctx, object) })
		return again
	}
	if r, ok := l.planner.report(obs, held); ok {
		l.write(ctx, func(ctx context.Context) error { return l.store.report(ctx, obs.desired.number(), r) })
		return again
	}
	if t, ok := l.planner.propose(obs); ok && object.ResourceVersion != l.proposedFrom {
		l.proposedFrom = object.ResourceVersion
		format := l.planner.format(obs)
		l.write(ctx, func(ctx context.Context) error { return l.store.propose(ctx, object, t, format) })
		return again
	}
	if due := l.refreshDue(object, obs.now); obs.now.Before(due) {
		return due
	}
	l.refreshed, l.interval = obs.now, min(2*l.interval, refreshMax)
	l.write(ctx, l.store.refresh)
	return again
}

// refreshDue returns when to read the ConfigMap without its watch: soon during a transition, or if
// others have written a version that the watch has not delivered.
func (l *loop) refreshDue(object *corev1.ConfigMap, now time.Time) time.Time {
	if object.ResourceVersion != l.version {
		l.version, l.interval, l.refreshed = object.ResourceVersion, refreshMin, now
	}
	if p := l.planner.plan; p.InTransition() && !p.SwitchScheduled || object.ResourceVersion == l.proposedFrom {
		return l.refreshed.Add(l.interval)
	}
	return l.refreshed.Add(refreshIdle)
}

// relistIfStale lists the StatefulSet again while it may be stale. It returns when to do so next.
func (l *loop) relistIfStale(now time.Time) (again time.Time) {
	if l.planner.staleSince.IsZero() {
		l.lastRelist, l.relistBackoff = time.Time{}, refreshMin
		return again
	}
	if due := l.lastRelist.Add(l.relistBackoff); now.Before(due) {
		return due
	}
	l.log.Info("listing the StatefulSet again: the topology follows from a revision that this replica has not seen, " +
		"or a backup was restored")
	l.lastRelist, l.relistBackoff = now, min(2*l.relistBackoff, refreshMax)
	l.sets.Relist()
	return l.lastRelist.Add(l.relistBackoff)
}

// observe returns the current observation, and why the ConfigMap is unusable, if it is.
func (l *loop) observe() (object *corev1.ConfigMap, obs observation, unusable error) {
	s, d := l.store.read(), load(&l.desired)
	obs = observation{
		now: time.Now(), known: s.known, contents: s.contents, rewinds: s.rewinds,
		desired: d.desiredState, desiredAsOf: d.asOf, excluded: d.excluded,
	}
	l.recordStop(&obs)
	unusable = cmp.Or(s.err, l.writeErr)
	obs.usable, obs.absent = unusable == nil && s.object != nil, errors.Is(unusable, errMissing)
	if l.Standby {
		all, permanent := l.podTracker.read()
		obs.peers, obs.standby = all, !permanent
	}
	return s.object, obs, unusable
}

// recordStop records whether the replica was asked to stop. If so, it reads both objects again, to
// learn at once whether the StatefulSet was scaled down.
func (l *loop) recordStop(obs *observation) {
	obs.stopBy = load(&l.stopBy)
	if !obs.stopBy.IsZero() && !l.stopping {
		l.stopping, l.refreshed = true, time.Time{}
		l.sets.Relist()
	}
}

// logCoordination logs when this replica begins or ceases to coordinate with the fleet.
func (l *loop) logCoordination(err error) {
	switch {
	case err != nil && l.coordination.changedTo(err.Error()):
		l.log.Warn("not coordinated: this replica changes its shard without waiting for the others", "err", err)
	case err == nil && l.coordination.changedTo(""):
		l.log.Info("coordinated again: this replica changes its shard together with the others")
	}
}

// write starts a write or a read in the background. There is at most one at a time.
func (l *loop) write(ctx context.Context, request func(ctx context.Context) error) {
	l.writing = true
	go func() {
		ctx, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		l.written <- request(ctx)
	}()
}

// onWriteDone handles the result of a write.
func (l *loop) onWriteDone(err error) {
	l.writing = false
	switch {
	case err == nil:
		l.writeErr, l.writesDeniedSince = nil, time.Time{}
		return
	case errors.Is(err, errNotWritten):
		return
	case apierrors.IsConflict(err): // another replica was faster; the watch delivers its version
		return
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err):
		l.onWriteDenied(err)
	default:
		l.log.Warn("cannot write the topology; retrying", "err", err)
		l.nextWrite = time.Now().Add(writeRetryInterval)
	}
	l.proposedFrom = ""
}

// onWriteDenied handles a write that RBAC denied. A replica without a topology stops coordinating
// at once, others after deniedGrace.
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

// load returns the stored value, or the zero value if there is none.
func load[T any](p *atomic.Pointer[T]) (value T) {
	if stored := p.Load(); stored != nil {
		value = *stored
	}
	return value
}

// notify wakes a receiver. It does not wait: the channel holds one pending notification.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
