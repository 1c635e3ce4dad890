package objects

import (
	"context"
	"log/slog"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
)

const (
	// listTimeout limits one list, so that a hanging connection is retried.
	listTimeout = time.Minute
	// watchTimeout is how long the API server lets a watch live: up to twice that, at random.
	watchTimeout = 5 * time.Minute
	// steadyWatch is how long a watch must live for the next one to follow without a delay.
	steadyWatch = 5 * time.Second
)

// Options of a [Watcher].
type Options[T Object] struct {
	// API sends the requests. Required.
	API API[T]
	// Name selects one object. Default: all.
	Name string
	// Labels returns the label selector for the next list and its watch. Default: all objects.
	Labels func() string
	// Cached allows lists from the API server's cache, which may be older than objects that were
	// read before. Default: only quorum reads.
	Cached bool
	// RelistInterval is how long to watch before the objects are listed again, for callers that have
	// no other way to notice a silent watch. Default: as long as the API server allows.
	RelistInterval time.Duration
	// Backoff is the delay between attempts. Required.
	Backoff wait.Backoff
	// Changed is called after each change of the state; see [Watcher.Run]. Required.
	Changed func(State[T])
	// Noun names the objects in the log, such as "the StatefulSet".
	Noun string
	// Logger receives one message when requests begin to fail, and one when they work again.
	// Required.
	Logger *slog.Logger
	// DenialsLogged is set if the caller logs itself that RBAC denies requests.
	DenialsLogged bool
}

// Watcher keeps the state of objects up to date while Run runs.
type Watcher[T Object] struct {
	Options[T]
	lists   ErrorLogger
	watches ErrorLogger // separate from lists: RBAC may allow only one of them

	mu      sync.Mutex
	state   State[T]
	restart context.CancelFunc // ends the present attempt; nil before the first
}

// NewWatcher returns a Watcher that does not run yet.
func NewWatcher[T Object](o Options[T]) *Watcher[T] {
	return &Watcher[T]{
		Options: o,
		lists:   ErrorLogger{Log: o.Logger, Action: "list " + o.Noun},
		watches: ErrorLogger{Log: o.Logger, Action: "watch " + o.Noun},
	}
}

// Run watches until ctx ends. It calls Changed in its own goroutine; Send calls it in that of its
// caller.
func (w *Watcher[T]) Run(ctx context.Context) {
	backoff := w.Backoff
	for ctx.Err() == nil {
		attempt, end := context.WithCancel(ctx)
		w.mu.Lock()
		w.restart = end
		w.mu.Unlock()
		lived := w.listAndWatch(attempt)
		if lived >= steadyWatch {
			backoff = w.Backoff
		} else if attempt.Err() == nil {
			pause, cancel := context.WithTimeout(attempt, backoff.Step()-lived)
			<-pause.Done()
			cancel()
		}
		end()
	}
}

// Relist ends the present list, watch or delay, and lists the objects again at once. It does not
// wait.
func (w *Watcher[T]) Relist() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.restart != nil {
		w.restart()
	}
}

// listAndWatch lists the objects and watches them until the watch ends. It returns how long the
// watch lived.
func (w *Watcher[T]) listAndWatch(ctx context.Context) (lived time.Duration) {
	opts := metav1.ListOptions{}
	if w.Name != "" {
		opts.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, w.Name).String()
	}
	if w.Labels != nil {
		opts.LabelSelector = w.Labels()
	}
	version, err := w.list(ctx, opts)
	if err != nil {
		return 0
	}
	if w.RelistInterval > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.RelistInterval)
		defer cancel()
	}
	timeout := int64(wait.Jitter(watchTimeout, 1).Seconds())
	opts.ResourceVersion, opts.AllowWatchBookmarks, opts.TimeoutSeconds = version, true, &timeout
	events, err := w.API.Watch(ctx, opts)
	if w.observe(ctx, &w.watches, err); err != nil {
		return 0
	}
	defer events.Stop()
	began := time.Now()
	for w.next(ctx, events) {
	}
	return time.Since(began)
}

// list replaces the objects by those of a list.
func (w *Watcher[T]) list(ctx context.Context, opts metav1.ListOptions) (version string, err error) {
	if w.Cached {
		opts.ResourceVersion = "0"
	}
	limited, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	before, began := w.State().Objects, time.Now()
	items, version, err := w.API.List(limited, opts)
	if w.observe(ctx, &w.lists, err); err != nil {
		return "", err
	}
	w.change(func(s *State[T]) {
		listed := make(map[string]T, len(items))
		for _, item := range items {
			if w.selects(item) {
				listed[item.GetName()], _ = s.accept(item, before)
			}
		}
		s.Objects, s.ListedAt = listed, began
	})
	return version, nil
}

// selects filters by name again, since not every API server implements field selectors.
func (w *Watcher[T]) selects(object T) bool { return w.Name == "" || object.GetName() == w.Name }

// next handles the next event. It reports whether the watch can continue.
func (w *Watcher[T]) next(ctx context.Context, events watch.Interface) bool {
	select {
	case <-ctx.Done():
		return false
	case event, ok := <-events.ResultChan():
		if ok && event.Type != watch.Error {
			w.handle(event)
			return true
		}
		return false // the next list fails as well, and reports it, unless the version was too old
	}
}

func (w *Watcher[T]) handle(event watch.Event) {
	object, ok := event.Object.(T)
	if !ok || event.Type == watch.Bookmark || !w.selects(object) {
		w.mu.Lock()
		w.state.LastContact = time.Now()
		w.mu.Unlock()
		return
	}
	w.change(func(s *State[T]) {
		if event.Type == watch.Deleted {
			s.remove(object.GetName())
			return
		}
		held, _ := s.accept(object, nil)
		s.put(held)
	})
}

// observe logs the result of a list or of opening a watch, and records whether RBAC denies it.
// A list alone lifts no denial: without a watch the objects would become stale.
func (w *Watcher[T]) observe(ctx context.Context, log *ErrorLogger, err error) {
	denied := apierrors.IsForbidden(err)
	if !denied || !w.DenialsLogged {
		log.Observe(ctx, err)
	}
	w.mu.Lock()
	before := w.state.DeniedUntil
	switch {
	case denied:
		w.state.DeniedUntil = time.Now()
		if before.IsZero() {
			w.state.DeniedSince = w.state.DeniedUntil
		}
	case err == nil && log == &w.watches:
		w.state.DeniedSince, w.state.DeniedUntil = time.Time{}, time.Time{}
	}
	now := w.state
	w.mu.Unlock()
	if now.DeniedUntil != before {
		w.Changed(now)
	}
}
