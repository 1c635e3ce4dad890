package replica

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/watch/verify"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// kind is a Kind with its store and the Reflectors that fill it. The fields below mu change when
// the Reflectors are started again.
type kind struct {
	Kind
	options          *Options // of the Replica
	store            *store.Store
	sharedSeries     *sharedSeries // nil if every series identifies its object
	seriesLimits     *seriesLimits // nil if no family has a limit
	lastRestore      time.Time     // used by restoreSeries only
	limits           limits
	room             sync.Mutex     // with limits: held from the admission of an object until it is stored
	rejected         []atomic.Int64 // by Reflector: see limitReached
	shares           shares         // of limits.objects; guarded by room
	failedObjects    atomic.Int64   // versions of objects that could not be rendered
	failedFamilies   atomic.Int64   // families of versions of objects that could not be rendered
	evicted          atomic.Bool    // an object was evicted for one of another namespace
	truncated        truncated
	counters         *counters
	logger           *slog.Logger
	logged           sync.Map       // problems; see firstTime
	loggedNamespaces map[string]int // by problem; see firstTimeIn; guarded by room
	scopes           []scope
	held             func() *shard.Ranges
	subject          *verify.Subject

	// hidden is set until a list of the kind was complete, so that a scrape sees whole kinds: also one
	// that is added while others are served, or that the API server refuses at first. exempt is set on
	// a kind that readiness and changes of shard do not wait for: one that was added while others are
	// served, or that is overdue. Only the Replica's loop changes them, under the Replica's mutex. The
	// handlers read hidden without it; see show.
	hidden atomic.Bool
	exempt bool

	// listed has for each Reflector the namespaces of its last complete list, if it is restricted to
	// namespaces. While the kind is visible, new objects of other namespaces are hidden until the next one,
	// so that a scrape sees whole namespaces: also one that is selected later, or that the API server
	// refuses at first. The Replica's loop clears it while no Reflector runs; a Reflector sets its own
	// element.
	listed []map[string]bool

	// unconfirmed says for each Reflector whether the store has objects of it that no complete list
	// includes: of a namespace's first list while it is read, or of an earlier process. They are dropped if
	// the API server refuses the resource, because nothing waits for it then. The Replica's loop sets it while
	// no Reflector runs; a Reflector changes its own element.
	unconfirmed []bool

	names      names
	tombstones tombstones

	// versionsReset is set when the resource versions of the API server have gone back. Whatever starts
	// the Reflectors next forgets the stored versions and the tombstones.
	versionsReset atomic.Bool

	// resume has for each Reflector the version at which the objects of an earlier process were complete;
	// "" if everything has to be listed. It is nil unless such objects were loaded. The Replica's loop uses
	// it while no Reflector runs.
	resume []string

	mu               sync.Mutex
	reflectors       []*watch.Reflector
	namespaces       uint64    // namespaceSet.changes when the Reflectors were started
	pendingAdditions int       // Reflectors whose addition is not complete
	incompleteSince  time.Time // zero before the first list, and while there is nothing to list
	spawn            func(work func(ctx context.Context))
	cancel           context.CancelFunc
	running          *sync.WaitGroup
}

func (r *Replica) newKind(spec Kind) *kind {
	k := &kind{
		Kind:             spec,
		options:          &r.options,
		store:            store.New(families(spec.Renderer), r.budget),
		sharedSeries:     newSharedSeries(spec),
		seriesLimits:     newSeriesLimits(spec.Renderer),
		limits:           limits{objects: r.options.ObjectLimit, bytes: r.options.ByteLimit, object: r.options.ObjectBytes},
		counters:         r.options.Metrics.counters(spec.Name),
		logger:           r.logger.With("resource", spec.Name),
		scopes:           r.options.scopes(spec),
		held:             r.held.Load,
		names:            newNames(),
		loggedNamespaces: map[string]int{},
	}
	k.hidden.Store(true)
	for _, f := range spec.Renderer.Families() {
		k.counters.failedFamilies.WithLabelValues(f.Name) // 0 from now on, so that the first failure is an increase
	}
	if k.seriesLimits != nil {
		for _, f := range k.seriesLimits.families {
			k.counters.overLimit.WithLabelValues(f.name) // 0 from now on
		}
	}
	n := len(k.scopes)
	k.rejected, k.listed, k.unconfirmed = make([]atomic.Int64, n), make([]map[string]bool, n), make([]bool, n)
	k.subject = r.newSubject(k)
	return k
}

// families returns the families of a renderer as the store needs them.
func families(r Renderer) []store.Family {
	all := make([]store.Family, 0, len(r.Families()))
	for _, f := range r.Families() {
		all = append(all, store.Family{Name: f.Name, TextHeader: f.TextHeader(), OpenMetricsHeader: f.OpenMetricsHeader()})
	}
	return all
}

// startReflectors stops the kind's Reflectors and starts new ones, one for each scope. They always
// hold the ranges of r.held. None is started while those are empty: there is no selector for
// nothing. With allowStale, lists may be as old as the API server's cache.
func (r *Replica) startReflectors(ctx context.Context, k *kind, allowStale bool) {
	k.stop()
	if k.versionsReset.Swap(false) {
		k.tombstones.clear()
		k.store.ResetAllVersions()
	}
	if len(*r.held.Load()) == 0 {
		r.startWaiting(k, time.Time{})
		r.hide(k) // no object is held
		clear(k.listed)
		return
	}
	r.startWaiting(k, time.Now())
	ctx, cancel := context.WithCancel(ctx)
	running := new(sync.WaitGroup)
	var reflectors []*watch.Reflector
	var selected map[string]bool
	var namespaces uint64
	if r.namespaceSet != nil {
		selected, namespaces = r.namespaceSet.current()
	}
	for source := range k.scopes {
		s := r.newReflector(k, source, selected, allowStale)
		reflectors = append(reflectors, s)
		running.Go(func() { s.Run(ctx) })
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reflectors, k.pendingAdditions, k.cancel, k.running = reflectors, 0, cancel, running
	k.namespaces = namespaces
	clear(k.resume) // Reflectors that are started again list everything
	k.spawn = func(work func(ctx context.Context)) { running.Go(func() { work(ctx) }) }
	k.spawn(func(ctx context.Context) { r.options.Verifier.Run(ctx, k.subject) })
}

// newReflector returns the Reflector of one of the kind's scopes. selected are the namespaces that the
// namespace selector selects; nil if there is none.
func (r *Replica) newReflector(k *kind, source int, selected map[string]bool, allowStale bool) *watch.Reflector {
	h := &handler{kind: k, source: uint32(source), held: k.held()}
	if namespace := k.scopes[source].namespace; namespace != "" {
		h.namespaces = map[string]bool{namespace: true}
	} else if k.Namespaced {
		h.namespaces = selected
	}
	client := r.client
	if k.Custom {
		client = r.json
	}
	selector := k.LabelSelector
	if s := r.options.ObjectSelectors[k.Name]; s != nil {
		selector = s.String()
	}
	return watch.New(watch.Options{
		Client:         client,
		Resource:       k.Resource,
		Name:           k.Name,
		Form:           k.Form,
		Namespace:      k.scopes[source].namespace,
		FieldSelector:  k.scopes[source].fieldSelector,
		LabelSelector:  selector,
		AllowStaleList: allowStale,
		Selector:       func() string { return r.held.Load().Selector() },
		Sharding:       r.options.Metrics.sharding,
		Backoff:        r.options.Backoff,
		Handler:        h,
		Resume:         h.resume(),
		Discard:        h.discard,
		Metrics:        r.options.Metrics.watch,
		Logger:         r.logger,
	})
}

func (k *kind) currentReflectors() []*watch.Reflector {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.reflectors
}

// listedNamespaces returns namespaceSet.changes when the Reflectors were started.
func (k *kind) listedNamespaces() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.namespaces
}

// stop ends the kind's goroutines and waits for them. Nothing reaches the store afterwards.
func (k *kind) stop() {
	k.mu.Lock()
	cancel, running := k.cancel, k.running
	k.mu.Unlock()
	if cancel != nil {
		cancel()
		running.Wait()
	}
}

// status returns the status of all Reflectors together: the phase that is furthest from Synced, and
// the oldest event. Synced is true if at least one Reflector was complete.
func (k *kind) status() watch.Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	ranking := []watch.Phase{watch.Synced, watch.Absent, watch.Forbidden, watch.Pending}
	all := watch.Status{Phase: watch.Pending}
	for i, s := range k.reflectors {
		st := s.Status()
		if i == 0 {
			all = st
			continue
		}
		if slices.Index(ranking, st.Phase) > slices.Index(ranking, all.Phase) {
			all.Phase, all.Since = st.Phase, st.Since
		}
		all.Synced = all.Synced || st.Synced
		if st.LastEvent.Before(all.LastEvent) {
			all.LastEvent = st.LastEvent
		}
	}
	return all
}

// complete reports whether the store holds all objects that can be listed. A resource that the API
// server does not have counts as complete, and so does one that it refuses for longer than the
// grace period: an API server refuses allowed requests until it has read its roles.
func (k *kind) complete() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pendingAdditions > 0 {
		return false
	}
	for _, s := range k.reflectors {
		switch st := s.Status(); {
		case st.Synced, st.Phase == watch.Absent:
		case st.Phase == watch.Forbidden && time.Since(st.Since) >= k.options.ForbiddenGrace:
		default:
			return false
		}
	}
	return len(k.reflectors) > 0
}

// stats returns the totals of the kind's store. No object of a hidden kind is served.
func (k *kind) stats(hidden bool) store.Stats {
	s := k.store.Stats()
	if hidden {
		s.Objects, s.HiddenObjects, s.TextBytes = 0, s.Objects+s.HiddenObjects, 0
	}
	return s
}

// refused reports whether the API server refuses the kind or does not have it.
func (k *kind) refused() bool {
	phase := k.status().Phase
	return phase == watch.Forbidden || phase == watch.Absent
}

var _ Renderer = (*resources.Renderer)(nil)
