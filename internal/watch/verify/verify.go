package verify

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/store"
)

// DefaultGrace is how long an event may be on its way unless the Options say otherwise.
const DefaultGrace = 30 * time.Second

// Options say how often a Verifier compares.
type Options struct {
	// Every is the average time between two comparisons of a resource. Each interval is random, so
	// that the replicas of a fleet do not list the same resource at the same time. 0 means never.
	Every time.Duration
	// Grace is how long an event may be on its way; 0 means DefaultGrace.
	Grace time.Duration
	// Metrics count the comparisons.
	Metrics *Metrics
}

// Verifier verifies the resources of a process. Make one with New. Its methods may be called
// concurrently.
type Verifier struct {
	options Options
	turn    chan struct{} // has an element while a resource is listed: one at a time

	mu      sync.Mutex
	running map[*Subject]bool
}

// New returns a Verifier.
func New(o Options) *Verifier {
	if o.Grace == 0 {
		o.Grace = DefaultGrace
	}
	return &Verifier{options: o, turn: make(chan struct{}, 1), running: map[*Subject]bool{}}
}

// Subject is a resource that is verified. Make one with NewSubject.
type Subject struct {
	SubjectOptions
	counters counters
	soon     chan struct{} // makes Run compare at once
	reset    atomic.Bool   // the versions of another resource were reset since Run compared last
	// Run alone uses these. repaired has the differences that were confirmed last.
	repaired           map[store.Version]bool
	loggedUnrepairable bool
}

// SubjectOptions describe the stored objects of a resource, and how it is listed again. Run calls the
// functions from one goroutine.
type SubjectOptions struct {
	// Name is the resource in self-metrics.
	Name string
	// Store has the objects, and Reflectors returns those that fill it, by store.Object.Source.
	Store      *store.Store
	Reflectors func() []*watch.Reflector
	// ID is the object's ID in the store.
	ID func(o watch.Object) store.ID
	// Ready reports whether the store has to be complete at the moment, as far as its Reflectors are
	// synced.
	Ready func() bool
	// Full reports whether objects may be missing because of a limit; nil stands for false.
	Full func() bool
	// DeletedAt returns the version at which an object was deleted, as far as it is remembered,
	// and NewestDeletion the highest one; both are 0 for none.
	DeletedAt      func(id store.ID) uint64
	NewestDeletion func() uint64
	// Relist causes the resource to be listed again. With reset, stored versions and deletions
	// must not be compared with versions received from then on. It may wait until ctx ends.
	Relist func(ctx context.Context, reset bool)
	// Logger receives messages for operators.
	Logger *slog.Logger
}

// NewSubject returns a Subject that Run verifies.
func (v *Verifier) NewSubject(o SubjectOptions) *Subject {
	return &Subject{SubjectOptions: o, counters: v.options.Metrics.counters(o.Name), soon: make(chan struct{}, 1)}
}

// Run verifies a resource until ctx ends.
func (v *Verifier) Run(ctx context.Context, s *Subject) {
	if v.options.Every <= 0 {
		return
	}
	v.setRunning(s, true)
	defer v.setRunning(s, false)
	retry := false // another resource was reset, and this one could not be compared since
	for {
		othersReset, ok := v.wait(ctx, s, retry)
		if !ok {
			return
		}
		othersReset = othersReset || retry
		r := v.verify(ctx, s, othersReset)
		if ctx.Err() != nil {
			return
		}
		s.counters.checks(r)
		retry = othersReset && (r == failed || r == skipped)
		switch r {
		case repaired:
			s.Relist(ctx, false)
		case versionsReset:
			s.Logger.Warn("resource versions of the API server have gone back, as after a restored backup; relisting the resource")
			if !othersReset {
				v.othersSoon(s)
			}
			s.Relist(ctx, true)
		}
	}
}

func (v *Verifier) setRunning(s *Subject, running bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if running {
		v.running[s] = true
	} else {
		delete(v.running, s)
	}
}

// Soon makes Run compare the Subject at once, for callers that expect a difference. It does not
// wait.
func (s *Subject) Soon() {
	select {
	case s.soon <- struct{}{}:
	default: // it is going to
	}
}

// othersSoon compares the other resources at once, because their versions were most likely reset, too.
func (v *Verifier) othersSoon(s *Subject) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for other := range v.running {
		if other != s {
			other.reset.Store(true)
			other.Soon()
		}
	}
}

// wait waits until the next comparison is due, which is soon for a retry. It returns false for ok if
// ctx ends before.
func (v *Verifier) wait(ctx context.Context, s *Subject, retry bool) (othersReset, ok bool) {
	interval := v.options.Every
	if retry {
		interval = min(interval, v.options.Grace)
	}
	t := time.NewTimer(watch.Spread(interval))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false, false
	case <-s.soon:
	case <-t.C:
	}
	return s.reset.Swap(false), true
}

// verify compares twice, unless the first comparison finds nothing. othersReset says that the
// versions of another resource were reset; one comparison that agrees is enough then.
func (v *Verifier) verify(ctx context.Context, s *Subject, othersReset bool) result {
	first, r := v.compare(ctx, s)
	switch {
	case r != "":
		return r
	case first.none():
		return equal
	case first.reset && othersReset:
		return versionsReset
	case !watch.Sleep(ctx, v.options.Grace):
		return skipped
	}
	second, r := v.compare(ctx, s)
	switch {
	case r != "":
		return r
	case first.reset && second.reset:
		return versionsReset
	case first.reset:
		return skipped // the answers contradict one another
	case second.reset:
		s.Soon()
		return skipped
	}
	wrong := s.confirmed(first, second)
	if wrong.none() {
		return equal
	}
	s.counters.missing.Add(float64(len(wrong.missing)))
	s.counters.extra.Add(float64(len(wrong.extra)))
	missing, extra := len(wrong.missing), len(wrong.extra)
	if s.unrepairable(wrong) {
		if !s.loggedUnrepairable {
			s.loggedUnrepairable = true
			s.Logger.Warn("consistency check found the same differences as before, although the resource was listed again; they stay",
				"missing", missing, "extra", extra)
		}
		return unrepairable
	}
	s.loggedUnrepairable = false
	s.Logger.Warn("consistency check found differences; relisting the resource", "missing", missing, "extra", extra)
	return repaired
}

// unrepairable reports whether all these differences were confirmed the time before as well. An
// object that cannot be rendered stays missing, however often it is listed.
func (s *Subject) unrepairable(wrong differences) bool {
	now, known := map[store.Version]bool{}, true
	for _, list := range [][]store.Version{wrong.missing, wrong.extra} {
		for _, v := range list {
			now[v] = true
			known = known && s.repaired[v]
		}
	}
	s.repaired = now
	return known
}
