package shard

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

const (
	fieldManager = "statefleet"
	look         = 50 * time.Millisecond // how often the member is asked what it holds
	writeTimeout = 10 * time.Second
	retryWrite   = time.Second      // after a write that failed
	retryDenied  = 10 * time.Second // after one that is not allowed
	// refusedFor is how long the API server may refuse before the fleet takes it for meant: one that has just
	// started refuses everything until it has read its roles.
	refusedFor = 30 * time.Second
	// refreshEvery bounds, well within lead, how late a replica can hear of the instant of the switch while its
	// watch is broken or about to be made anew.
	refreshEvery = lead / 3
	// rereadEvery bounds how long a replica can go without news because its watch brings nothing any more.
	rereadEvery = 30 * time.Second
)

var (
	errForbidden = errors.New("it may not be read")
	errMissing   = errors.New("there is no such object")

	errNotWritten = errors.New("nothing was written")
)

// Member is the replica that a [Coordinator] tells what to serve. Its methods do not wait.
type Member interface {
	// Follow makes it move to a plan. A replica moves to what the plan serves as soon as it holds that, never
	// before; what the plan changes to is held and not served.
	Follow(p Plan)
	// Holds reports whether it serves what the plan says and holds what the plan changes to.
	Holds(p Plan) bool
}

// Coordinator moves one replica of a fleet in step with the others. There is no leader: each replica reads and
// writes one ConfigMap beside the StatefulSet, named <statefulset>-topology. Every replica reports there, under
// a key of its own, that it holds what is being prepared; any replica writes the next [Topology] when it is
// time; and each changes over by its own clock at the instant that the topology names, or when it sees that
// another has, so that clocks which differ cost no more than the delay of a watch.
//
// The object must exist, empty at first. When it does not, or RBAC forbids it, the replica goes by the
// StatefulSet alone, as soon as it holds what it must serve, until that is mended.
//
// RBAC, in the pod's namespace: what [Discovery] needs, and get, list, watch, update and patch on that ConfigMap.
type Coordinator struct {
	Discovery
	// Member is the replica. Required.
	Member Member

	status atomic.Pointer[Status]
	work   atomic.Pointer[loop] // nil until the StatefulSet is found
	alone  condition            // why the fleet is not coordinated, for the log

	patience time.Duration // shortened by tests; see mind
}

// Run coordinates until ctx ends, then returns nil. Errors are those of [Discovery.Run].
func (c *Coordinator) Run(ctx context.Context) error {
	stem, err := c.identity()
	if err != nil {
		return err
	}
	log := c.log()
	name, uid, err := c.findStatefulSet(ctx, stem, log)
	if err != nil || name == "" {
		return err
	}
	log = log.With("configmap", name+"-topology")
	news := make(chan struct{}, 1)
	l := &loop{
		Coordinator: c,
		name:        name,
		log:         log,
		mind:        mind{incarnation: strconv.FormatUint(rand.Uint64(), 36), pod: uid, patience: cmp.Or(c.patience, firstLook)},
		written:     make(chan error, 1),
		selected:    make(chan struct{}, 1),
		overdue:     make(chan struct{}, 1),
		board: &board{
			name:    name + "-topology",
			api:     c.Client.CoreV1().ConfigMaps(c.Namespace),
			lists:   outage{log: log, what: "list the fleet's topology"},
			watches: outage{log: log, what: "watch the fleet's topology"},
			news:    news,
		},
	}
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { l.followSet(ctx, news) })
	running.Go(func() { l.board.run(ctx, c.backoff()) })
	if c.Standby {
		l.roster = &roster{
			set:     name,
			api:     c.Client.CoreV1().Pods(c.Namespace),
			lists:   outage{log: log, what: "list the fleet's pods"},
			watches: outage{log: log, what: "watch the fleet's pods"},
			news:    news,
			log:     log,
		}
		running.Go(func() { l.followPods(ctx) })
	}
	c.work.Store(l) // whole
	l.run(ctx, news)
	return nil
}

// loop is a Coordinator at work. Its fields belong to the goroutine that runs it, but for wanted and board.
type loop struct {
	*Coordinator
	name   string // of the StatefulSet
	log    *slog.Logger
	mind   mind
	wanted atomic.Pointer[Wanted]
	heard  heard // of the StatefulSet
	board  *board
	roster *roster // nil unless replicas stand by for one another

	selected chan struct{} // the StatefulSet's selector may have changed
	overdue  chan struct{} // others know more of the StatefulSet

	unusable error // why the object cannot be used; nil when it can

	writing bool       // a write is under way
	written chan error // its result
	refused time.Time  // since when writes are refused; zero when they are not
	denied  error      // why they are, once that is taken for meant
	next    time.Time  // when the next write may be tried
	acted   string     // version of the object that the last proposal was made from
	read    time.Time  // when the object was last read past the watch
	sought  time.Time  // when the StatefulSet was last followed anew
}

func (l *loop) run(ctx context.Context, news <-chan struct{}) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			if l.writing {
				l.log.Debug("the last write of the topology has ended with the replica", "err", <-l.written)
			}
			return
		case <-news:
		case <-tick.C:
		case <-due.C:
		case err := <-l.written:
			l.wrote(err)
		}
		l.step(ctx)
		if at := l.mind.last.SwitchAt; !at.IsZero() {
			due.Reset(max(time.Until(at), look/10))
		}
	}
}

// step looks at the fleet, moves the member, and writes what is to be written.
func (l *loop) step(ctx context.Context) {
	object, v := l.view()
	before := l.mind
	l.mind.look(v)
	switch {
	case v.known && (v.usable || l.mind.alone):
		l.logAlone(l.unusable)
	case v.absent && before.lost.IsZero() && l.mind.plan.Active == 0:
		l.log.Info("the fleet's topology is not there; waiting for it", "longest", l.mind.patience)
	}
	l.note(before, v)
	l.catchUp(v.now)
	if p := l.mind.plan; p != before.plan {
		l.Member.Follow(p)
	}
	if l.writing || object == nil || v.now.Before(l.next) {
		return
	}
	if l.denied != nil { // there may be nothing to write that would show that it is allowed again
		l.write(ctx, func(ctx context.Context) error { return l.board.probe(ctx, object) })
		return
	}
	if r, ok := l.mind.report(v, l.Member.Holds(l.mind.plan)); ok {
		l.write(ctx, func(ctx context.Context) error { return l.board.report(ctx, v.wanted.Ordinal, r) })
		return
	}
	if t, ok := l.mind.propose(v); ok && object.ResourceVersion != l.acted {
		l.acted = object.ResourceVersion
		l.write(ctx, func(ctx context.Context) error { return l.board.propose(ctx, object, t) })
		return
	}
	if v.now.Sub(l.read) > l.readEvery(object) {
		l.read = v.now
		l.write(ctx, l.board.refresh)
	}
}

// readEvery is how often the object is read past the watch: more often while the fleet waits, or others are known to
// have written what the watch has not brought.
func (l *loop) readEvery(object *corev1.ConfigMap) time.Duration {
	if p := l.mind.plan; p.Changing() && !p.Due || object.ResourceVersion == l.acted {
		return refreshEvery
	}
	return rereadEvery
}

func (l *loop) view() (*corev1.ConfigMap, view) {
	v := view{now: time.Now()}
	if w := l.wanted.Load(); w != nil {
		v.wanted = *w
	}
	object, known, err := l.board.read()
	v.known = known
	if err == nil {
		err = l.denied
	}
	v.usable, v.absent = err == nil, errors.Is(err, errMissing)
	if l.roster != nil {
		all, known, denied := l.roster.read(v.wanted.Start)
		v.standby = !denied
		if known {
			v.peers = all
		}
	}
	if v.data = map[string]string{}; object != nil && object.Data != nil {
		v.data = object.Data
	}
	l.unusable = err
	return object, v
}

func (l *loop) logAlone(err error) {
	switch {
	case err != nil && l.alone.turns(err.Error()):
		l.log.Warn("the fleet's topology cannot be used; this replica changes its shard without waiting for the others", "err", err)
	case err == nil && l.alone.turns(""):
		l.log.Info("the fleet's topology can be used again")
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
	if l.denied != nil || l.mind.last.Generation == 0 || now.Sub(l.refused) > refusedFor {
		l.denied, l.next = err, now.Add(retryDenied)
	}
}

// poke tells a receiver that may be busy that there is something new.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
