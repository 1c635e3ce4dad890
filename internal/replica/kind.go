package replica

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/watch/verify"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// kind is a Kind at work: its store and the Reflectors that fill it. The fields
// below mu change when the Reflectors are started again.
type kind struct {
	Kind
	store              *store.Store
	series             *series // nil: they all identify their object
	limits             limits
	room               sync.Mutex      // with limits: held while one Reflector finds room, which it must not take for another's
	rejected           []*rejectedSize // by source
	shares             shares          // with limits.objects; guarded by room
	evicted            atomic.Bool     // an object has given place to one of another namespace
	truncated          truncated
	counters           *counters
	logger             *slog.Logger
	logFirstUnreadable sync.Once
	logFirstPanic      sync.Once
	broken             []sync.Once // by family
	logFirstRejected   sync.Once
	logFirstOversized  sync.Once
	scopes             []scope
	holdDeleted        time.Duration // how long a deleted object stays on the page
	forbiddenGrace     time.Duration // how long a refusal is taken for one that passes
	held               func() *shard.Ranges
	subject            *verify.Subject

	// warming is set on a kind that came while others were served already, or is
	// overdue: it is not visible, and nothing waits for it, until it is complete. It
	// belongs to the Replica's loop and is changed under the Replica's mutex.
	warming bool
	// excused is set on a custom kind that is shown, and has been incomplete for the
	// grace period: a change of shard does not wait for it. It belongs to the loop, too.
	exempt bool

	names      names
	tombstones tombstones

	mu               sync.Mutex
	reflectors       []*watch.Reflector
	pendingAdditions int // Reflectors that do not hold their added ranges yet
	additions        map[*addition]bool
	waitingSince     time.Time // since when something is missing that the API server has to list
	spawn            func(work func(ctx context.Context))
	cancel           context.CancelFunc
	running          *sync.WaitGroup
}

func (r *Replica) newKind(options Kind) *kind {
	k := &kind{
		Kind:           options,
		store:          store.New(families(options.Renderer), r.budget),
		series:         newSeries(options),
		limits:         limits{objects: r.options.ObjectLimit, bytes: r.options.ByteLimit, object: r.options.ObjectBytes},
		counters:       r.options.Metrics.counters(options.Name),
		logger:         r.logger.With("resource", options.Name),
		scopes:         r.options.scopes(options),
		holdDeleted:    r.options.HoldDeleted,
		forbiddenGrace: r.options.ForbiddenGrace,
		held:           r.held.Load,
		names:          newNames(),
		broken:         make([]sync.Once, len(options.Renderer.Families())),
	}
	for range k.scopes {
		k.rejected = append(k.rejected, new(rejectedSize))
	}
	k.subject = r.newSubject(k)
	return k
}

// families returns the store's view of the families that a renderer writes.
func families(r Renderer) []store.Family {
	all := make([]store.Family, 0, len(r.Families()))
	for _, f := range r.Families() {
		all = append(all, store.Family{Name: f.Name, TextHeader: f.TextHeader(), OpenMetricsHeader: f.OpenMetricsHeader()})
	}
	return all
}

// startReflectors starts the kind's Reflectors, one for each scope, after ending those
// that run. They hold what r.held says, at every moment. Nothing is listed while
// that is nothing, since no selector says so. Cached lists may be as old as the API
// server's cache.
func (r *Replica) startReflectors(ctx context.Context, k *kind, cached bool) {
	k.stop()
	if len(*r.held.Load()) == 0 {
		r.waitForNothing(k)
		return
	}
	r.waitFrom(k, time.Now())
	ctx, cancel := context.WithCancel(ctx)
	var sources []*watch.Reflector
	running := new(sync.WaitGroup)
	var namespaces *namespaceSet
	if k.Namespaced {
		namespaces = r.namespaceSet
	}
	client := r.client
	if k.JSON {
		client = r.json
	}
	for i, sc := range k.scopes {
		s := watch.New(watch.Options{
			Client:         client,
			Resource:       k.Resource,
			Name:           k.Name,
			Form:           k.Form,
			Namespace:      sc.namespace,
			FieldSelector:  sc.fieldSelector,
			AllowStaleList: cached,
			Selector:       func() string { return r.held.Load().Selector() },
			Sharding:       r.options.Metrics.sharding,
			Backoff:        r.options.Backoff,
			Handler:        &handler{kind: k, namespaces: namespaces, source: uint32(i), held: k.held()},
			Metrics:        r.options.Metrics.watch,
			Logger:         r.logger,
		})
		sources = append(sources, s)
		running.Go(func() { s.Run(ctx) })
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reflectors, k.pendingAdditions, k.cancel, k.running = sources, 0, cancel, running
	k.spawn = func(work func(ctx context.Context)) { running.Go(func() { work(ctx) }) }
	k.spawn(func(ctx context.Context) { r.options.Verifier.Run(ctx, k.subject) })
}

func (k *kind) currentReflectors() []*watch.Reflector {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.reflectors
}

// stop ends the Reflectors and waits until nothing of them reaches the store.
func (k *kind) stop() {
	k.mu.Lock()
	cancel, running := k.cancel, k.running
	k.mu.Unlock()
	if cancel != nil {
		cancel()
		running.Wait()
	}
}

// status returns the status of the Reflectors taken together. Of several, the
// phase that is furthest from Synced counts, and the oldest event. One that was
// complete is enough for there to be something.
func (k *kind) status() watch.Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	rank := map[watch.Phase]int{watch.Synced: 0, watch.Absent: 1, watch.Forbidden: 2, watch.Pending: 3}
	all := watch.Status{Phase: watch.Pending}
	for i, s := range k.reflectors {
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

// complete reports whether the store holds all that there is. Reflectors whose
// resource the API server does not have are no reason to wait, nor are those that
// it has refused for a while: one that has just started refuses what it allows
// until it has read its roles.
func (k *kind) complete() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pendingAdditions > 0 {
		return false
	}
	for _, s := range k.reflectors {
		switch st := s.Status(); {
		case st.Synced, st.Phase == watch.Absent:
		case st.Phase == watch.Forbidden && time.Since(st.Since) >= k.forbiddenGrace:
		default:
			return false
		}
	}
	return len(k.reflectors) > 0
}

var _ Renderer = (*resources.Renderer)(nil)
