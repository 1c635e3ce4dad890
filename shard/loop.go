package shard

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

const (
	fieldManager = "statefleet"
	writeTimeout = 10 * time.Second
	retryWrite   = time.Second      // after a write that failed
	retryDenied  = 10 * time.Second // after one that is not allowed
	// refusedFor is how long the API server may refuse before the fleet takes that as permanent: one that has just
	// started refuses everything until it has read its roles.
	refusedFor = 30 * time.Second
	// refreshFirst is how soon a replica reads the object past its watch while the fleet prepares a change: well within
	// lead, so that it knows the instant of the switch although its watch is broken. It waits twice as long each time,
	// refreshLongest at last, until the object changes.
	refreshFirst   = lead / 3
	refreshLongest = 30 * time.Second
	// refreshAtRest is how often it reads the object when nothing is prepared, which bounds how long a silent watch stays
	// unnoticed.
	refreshAtRest = 30 * time.Second
	// shortestWait keeps a clock that stands still from turning the loop into a busy one.
	shortestWait = 5 * time.Millisecond
)

var (
	errForbidden = errors.New("topology ConfigMap may not be read")
	errMissing   = errors.New("topology ConfigMap does not exist")

	errNotWritten = errors.New("nothing was written")
)

// loop is a Coordinator at work. Its fields belong to the goroutine that runs it, but for the channels, what is safe for
// concurrent use, and wanted, confirmed, excluded, heard, store and roster, which others write.
type loop struct {
	*Coordinator
	name      string // of the StatefulSet
	log       *slog.Logger
	planner   planner
	wanted    atomic.Pointer[Wanted]
	confirmed atomic.Pointer[time.Time] // when the last list of the StatefulSet that is complete began
	excluded  heard                     // when the StatefulSet last did not want this replica
	heard     heard                     // of the StatefulSet
	store     *topologyStore
	roster    *roster // nil unless replicas stand by for one another

	changed  chan struct{} // told of whatever a decision may follow from
	selected chan struct{} // the StatefulSet's selector may have changed
	relist   chan struct{} // the StatefulSet is to be listed again

	unusable error // why the object cannot be used; nil when it can
	stopping bool  // the replica has been asked to stop

	writing bool       // a write is under way
	written chan error // its result
	refused time.Time  // since when writes are refused; zero when they are not
	denied  error      // why they are, once that is taken as permanent
	next    time.Time  // when the next write may be tried
	acted   string     // version of the object that the last proposal was made from

	version   string        // of the object that was looked at last
	refreshed time.Time     // when the object was last read past its watch
	interval  time.Duration // until it is again, while a change is prepared
	relisted  time.Time     // when the StatefulSet was last listed again because this replica may be behind
	patient   time.Duration // until it is again
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
			l.wrote(err)
		}
		again.Reset(idleTime(l.step(ctx)))
	}
}

// idleTime is for how long there is nothing to do, if nothing changes.
func idleTime(until time.Time) time.Duration {
	if until.IsZero() {
		return refreshAtRest
	}
	return max(time.Until(until), shortestWait)
}

// step looks at the fleet, moves the member, and writes what is to be written. It returns when to look again although
// nothing has changed; zero: never.
func (l *loop) step(ctx context.Context) (again time.Time) {
	object, v, recheck := l.snapshot()
	before := l.planner
	m := &l.planner
	m.look(v)
	switch {
	case v.known && (v.usable || m.alone):
		l.logAlone(l.unusable)
	case v.absent && before.lost.IsZero() && m.plan.Active == 0:
		l.log.Info("waiting for the topology ConfigMap, which does not exist", "longest", m.patience)
	}
	l.publish(before, v)
	if m.plan != before.plan {
		l.Member.Follow(m.plan)
	}
	held := l.Member.Holds(m.plan)
	m.noteHeld(held)
	due := l.catchUp(v.now)
	if object != nil && !l.writing {
		due = sooner(due, l.act(ctx, object, v, held))
	}
	return sooner(sooner(due, m.wake), recheck)
}

// sooner returns the earlier of two instants; a zero one is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// act writes what is to be written, or reads the object past its watch when it is time to. It returns when to act again.
func (l *loop) act(ctx context.Context, object *corev1.ConfigMap, v snapshot, held Held) (again time.Time) {
	if v.now.Before(l.next) {
		return l.next
	}
	if l.denied != nil { // there may be nothing to write that would show that it is allowed again
		l.write(ctx, func(ctx context.Context) error { return l.store.probe(ctx, object) })
		return again
	}
	if r, ok := l.planner.report(v, held); ok {
		l.write(ctx, func(ctx context.Context) error { return l.store.report(ctx, v.wanted.number(), r) })
		return again
	}
	if t, ok := l.planner.propose(v); ok && object.ResourceVersion != l.acted {
		l.acted = object.ResourceVersion
		format := l.planner.format(v)
		l.write(ctx, func(ctx context.Context) error { return l.store.propose(ctx, object, t, format) })
		return again
	}
	if due := l.refreshDue(object, v.now); v.now.Before(due) {
		return due
	}
	l.refreshed, l.interval = v.now, min(2*l.interval, refreshLongest)
	l.write(ctx, l.store.refresh)
	return again
}

// refreshDue is when the object is to be read past its watch: soon while the fleet prepares a change, or others are known
// to have written what the watch has not brought.
func (l *loop) refreshDue(object *corev1.ConfigMap, now time.Time) time.Time {
	if object.ResourceVersion != l.version {
		l.version, l.interval, l.refreshed = object.ResourceVersion, refreshFirst, now
	}
	if p := l.planner.plan; p.Changing() && !p.Due || object.ResourceVersion == l.acted {
		return l.refreshed.Add(l.interval)
	}
	return l.refreshed.Add(refreshAtRest)
}

// catchUp has the StatefulSet listed again while this replica may know less of it than the others. It returns when to do
// so again.
func (l *loop) catchUp(now time.Time) (again time.Time) {
	if l.planner.doubt.IsZero() {
		l.relisted, l.patient = time.Time{}, refreshFirst
		return again
	}
	if due := l.relisted.Add(l.patient); now.Before(due) {
		return due
	}
	l.log.Info("listing the StatefulSet again, since others know more of it or its versions have gone back")
	l.relisted, l.patient = now, min(2*l.patient, refreshLongest)
	notify(l.relist)
	return l.relisted.Add(l.patient)
}

// snapshot is what this replica knows now. recheck is when it knows more although nothing has happened; zero: never.
func (l *loop) snapshot() (object *corev1.ConfigMap, v snapshot, recheck time.Time) {
	s := l.store.read()
	v = snapshot{now: time.Now(), known: s.known, contents: s.contents, rewinds: s.rewinds, excluded: l.excluded.time()}
	if w := l.wanted.Load(); w != nil {
		v.wanted = *w
	}
	if began := l.confirmed.Load(); began != nil {
		v.confirmed = *began
	}
	l.noteStop(&v)
	err := s.err
	if err == nil {
		err = l.denied
	}
	v.usable, v.absent = err == nil && s.object != nil, errors.Is(err, errMissing)
	l.unusable, recheck = err, s.recheck
	if l.roster != nil {
		all, known, denied, at := l.roster.read()
		v.standby, recheck = !denied, sooner(recheck, at)
		if known {
			v.peers = all
		}
	}
	return s.object, v, recheck
}

// noteStop notes whether the replica has been asked to stop. It finds out at once whether the fleet is to shrink, whatever
// its watches have brought.
func (l *loop) noteStop(v *snapshot) {
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

func (l *loop) logAlone(err error) {
	switch {
	case err != nil && l.alone.turns(err.Error()):
		l.log.Warn("this replica changes its shard without waiting for the others", "err", err)
	case err == nil && l.alone.turns(""):
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

func (l *loop) wrote(err error) {
	l.writing = false
	switch {
	case err == nil:
		l.denied, l.refused = nil, time.Time{}
		return
	case errors.Is(err, errNotWritten):
		return
	case apierrors.IsConflict(err): // another one was quicker; what it wrote is on its way here
		return
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err):
		l.refuse(err)
	default:
		l.log.Warn("cannot write the fleet's topology; trying again", "err", err)
		l.next = time.Now().Add(retryWrite)
	}
	l.acted = ""
}

// refuse notes that a write is not allowed. A replica that knows of no topology goes alone at once, others when
// that lasts.
func (l *loop) refuse(err error) {
	now := time.Now()
	if l.refused.IsZero() {
		l.refused = now
	}
	l.next = now.Add(retryWrite)
	if l.denied != nil || l.planner.last.Generation == 0 || now.Sub(l.refused) > refusedFor {
		l.denied, l.next = err, now.Add(retryDenied)
	}
}

// notify tells a receiver that may be busy that something has changed.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
