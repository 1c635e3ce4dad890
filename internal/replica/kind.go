package replica

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// kind is a Kind at work: its store and the Sources that fill it. The fields
// below mu change when the Sources are started anew.
type kind struct {
	Kind
	store      *store.Store
	series     *series // nil: they all identify their object
	limits     limits
	room       sync.Mutex // with limits: held while one Source finds room, which it must not take for another's
	refusals   refusals
	shares     shares      // with limits.objects; guarded by room
	evicted    atomic.Bool // an object has given place to one of another namespace
	truncated  truncated
	counters   *counters
	logger     *slog.Logger
	unreadable sync.Once
	panicked   sync.Once
	broken     []sync.Once // by family
	crowded    sync.Once
	oversized  sync.Once
	scopes     []scope
	hold       time.Duration // how long a deleted object stays on the page
	patience   time.Duration // how long a refusal is taken for one that passes
	held       func() *shard.Ranges
	alarm      latest[*kind] // see Replica

	// late is set on a kind that came while others were served already, or is
	// overdue: it is not shown, and nobody waits for it, until it is complete. It
	// belongs to the Replica's loop and is changed under the Replica's mutex.
	late bool
	// excused is set on a custom kind that is shown, and has been incomplete for the
	// grace period: a change of shard does not wait for it. It belongs to the loop, too.
	excused bool

	names  names
	graves graves
	mended map[store.Version]bool // what the last check had listed anew; belongs to checkKinds

	mu        sync.Mutex
	sources   []*watch.Reflector
	acquiring int // Sources that do not hold yet what was gained
	gains     map[*gain]bool
	waited    time.Time // since when something is missing that the API server has to list
	spawn     func(work func(ctx context.Context))
	cancel    context.CancelFunc
	running   *sync.WaitGroup
}

func (r *Replica) newKind(k Kind) *kind {
	return &kind{
		Kind:     k,
		store:    store.New(families(k.Renderer), r.budget),
		series:   newSeries(k),
		limits:   limits{objects: r.options.ObjectLimit, bytes: r.options.ByteLimit, object: r.options.ObjectBytes},
		counters: r.options.Metrics.counters(k.Name),
		logger:   r.logger.With("resource", k.Name),
		scopes:   r.options.scopes(k),
		hold:     r.options.HoldDeleted,
		patience: r.options.Patience,
		alarm:    r.alarm,
		held:     r.held.Load,
		names:    newNames(),
		broken:   make([]sync.Once, len(k.Renderer.Families())),
	}
}

// families returns the store's view of the families that a renderer writes.
func families(r Renderer) []store.Family {
	all := make([]store.Family, 0, len(r.Families()))
	for _, f := range r.Families() {
		all = append(all, store.Family{Name: f.Name, TextHeader: f.TextHeader(), OpenMetricsHeader: f.OpenMetricsHeader()})
	}
	return all
}

// follow starts the kind's Sources, one for each scope, after ending those
// that run. They hold what r.held says, at every moment. Nothing is listed while
// that is nothing, since no selector says so. Cached lists may be as old as the API
// server's cache.
func (r *Replica) follow(ctx context.Context, k *kind, cached bool) {
	k.stop()
	if len(*r.held.Load()) == 0 {
		r.waitForNothing(k)
		return
	}
	r.waitFrom(k, time.Now())
	ctx, cancel := context.WithCancel(ctx)
	var sources []*watch.Reflector
	running := new(sync.WaitGroup)
	var wanted func([]byte) bool
	if k.Namespaced && r.selection != nil {
		wanted = r.selection.wants
	}
	client := r.client
	if k.JSON {
		client = r.json
	}
	for i, sc := range k.scopes {
		s := watch.New(watch.Options{
			Client:          client,
			Resource:        k.Resource,
			Name:            k.Name,
			Form:            k.Form,
			Namespace:       sc.namespace,
			FieldSelector:   sc.fieldSelector,
			AllowStaleList:  cached,
			NamespaceFilter: wanted,
			Owned:           r.owned,
			Selector:        func() string { return r.held.Load().Selector() },
			Sharding:        r.options.Metrics.sharding,
			Backoff:         r.options.Backoff,
			Handler:         &sink{kind: k, source: uint32(i), held: k.held()},
			Metrics:         r.options.Metrics.watch,
			Logger:          r.logger,
		})
		sources = append(sources, s)
		running.Go(func() { s.Run(ctx) })
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sources, k.acquiring, k.cancel, k.running = sources, 0, cancel, running
	k.spawn = func(work func(ctx context.Context)) { running.Go(func() { work(ctx) }) }
}

func (r *Replica) owned(hash uint64) bool { return r.held.Load().Contains(hash) }

// stop ends the Sources and waits until nothing of them reaches the store.
func (k *kind) stop() {
	k.mu.Lock()
	cancel, running := k.cancel, k.running
	k.mu.Unlock()
	if cancel != nil {
		cancel()
		running.Wait()
	}
}

// status returns the status of the Sources taken together. Of several, the
// phase that is furthest from Synced counts, and the oldest event. One that was
// complete is enough for there to be something.
func (k *kind) status() watch.Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	rank := map[watch.Phase]int{watch.Synced: 0, watch.Absent: 1, watch.Forbidden: 2, watch.Pending: 3}
	all := watch.Status{Phase: watch.Pending}
	for i, s := range k.sources {
		st := s.Status()
		if i == 0 {
			all = st
			continue
		}
		if rank[st.Phase] > rank[all.Phase] {
			all.Phase, all.Since = st.Phase, st.Since
		}
		all.Synced = all.Synced || st.Synced
		if st.LastEvent.Before(all.LastEvent) {
			all.LastEvent = st.LastEvent
		}
	}
	return all
}

// complete reports whether the store holds all that there is. Sources whose
// resource the API server does not have are no reason to wait, nor are those that
// it has refused for a while: one that has just started refuses what it allows
// until it has read its roles.
func (k *kind) complete() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.acquiring > 0 {
		return false
	}
	for _, s := range k.sources {
		switch st := s.Status(); {
		case st.Synced, st.Phase == watch.Absent:
		case st.Phase == watch.Forbidden && time.Since(st.Since) >= k.patience:
		default:
			return false
		}
	}
	return len(k.sources) > 0
}

var _ Renderer = (*resources.Renderer)(nil)
