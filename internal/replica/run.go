package replica

import (
	"context"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/statefleet/statefleet/shard"
)

// How often the replica looks after its stores, and for how long a page has to
// be quiet before it is packed.
const (
	sweepEvery = 5 * time.Second
	quietAfter = time.Minute
	syncPoll   = 50 * time.Millisecond
	// unbatchedAfterPlan is how long events do not gather after each change of the plan: from
	// the naming of a switch until it is over.
	unbatchedAfterPlan = 10 * time.Second
	// namespaceDebounce is how long further changes of the selected namespaces
	// are waited for: each costs a list of every kind.
	namespaceDebounce = time.Second
)

// Run follows the API server until ctx ends and everything it started has ended.
func (r *Replica) Run(ctx context.Context) error {
	defer r.client.CloseIdleConnections()
	defer r.json.CloseIdleConnections()
	first, ok := r.firstPlan(ctx)
	if !ok {
		return nil
	}
	r.appliedPlan.Store(nil)
	r.preparedPlan.Store(nil)
	r.logger.Info("starting", "shard", first.Ordinal, "total", first.Active)
	if r.namespaceSet != nil {
		var running sync.WaitGroup
		defer running.Wait()
		running.Go(func() { r.namespaceSet.source.Run(ctx) })
		r.waitFor(errNoNamespaces)
		if !r.namespaceSet.wait(ctx) {
			return nil
		}
	}
	defer func() {
		for _, k := range r.current() {
			k.stop()
		}
	}()
	var tidying sync.WaitGroup
	defer tidying.Wait()
	tidying.Go(func() { r.maintain(ctx) })
	mismatch := r.options.Metrics.sharding.Mismatch()
	select {
	case <-mismatch:
		mismatch = nil // a Replica before this one has found out, and no selector is sent any more
	default:
	}
	c := reshardState{plan: first, shards: first.Shards()}
	r.held.Store(new(shard.Ranges)) // nothing yet
	select {                        // kinds that are set before there is a plan are waited for
	case kinds := <-r.wanted:
		c = r.replaceKinds(ctx, c, kinds)
	default:
	}
	return r.loop(ctx, r.reconcile(ctx, c), mismatch)
}

func (r *Replica) waitFor(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = err
}

// firstPlan waits for a plan that gives the replica something to do.
func (r *Replica) firstPlan(ctx context.Context) (shard.Plan, bool) {
	for {
		select {
		case <-ctx.Done():
			return shard.Plan{}, false
		case p := <-r.assigned:
			if len(p.Shards().All()) > 0 {
				return p, true
			}
			nothing := heldTables(p)
			r.appliedPlan.Store(&nothing)
			r.preparedPlan.Store(&nothing)
			r.options.holdsChanged()
			r.waitFor(errNoShardOwned)
			r.logger.Info("this replica's ordinal is outside of the fleet; waiting for a shard", "ordinal", p.Ordinal, "total", p.Active)
		}
	}
}

// loop does what becomes due. mismatch is closed when an API server turns out to have left out objects that are to
// be held.
func (r *Replica) loop(ctx context.Context, c reshardState, mismatch <-chan struct{}) error {
	poll := time.NewTicker(syncPoll)
	defer poll.Stop()
	seldom := time.NewTicker(latePoll)
	defer seldom.Stop()
	var selected latest[struct{}]
	if r.namespaceSet != nil {
		selected = r.namespaceSet.changed
	}
	var relist, calm <-chan time.Time
	end := func() {}
	defer func() { end() }()
	for {
		var due <-chan time.Time // never, while there is nothing to wait for: a process at rest is to rest
		if is, often := r.inProgress(); often {
			due = poll.C
		} else if is {
			due = seldom.C
		}
		select {
		case <-ctx.Done():
			return nil
		case <-selected:
			if relist == nil {
				relist = time.After(namespaceDebounce)
			}
		case <-relist:
			relist = nil
			r.relistNamespaced(ctx)
		case p := <-r.assigned:
			before := end
			end, calm = r.suspendBatching(), time.After(unbatchedAfterPlan)
			before() // only now, or events would gather between the two
			c = r.setPlan(ctx, c, p)
		case <-calm:
			end()
		case <-mismatch:
			mismatch = nil
			r.relistAll(ctx)
		case kinds := <-r.wanted:
			c = r.replaceKinds(ctx, c, kinds)
		case what := <-r.repair:
			r.relist(ctx, what)
		case <-due:
			r.showReady()
			if r.appliedPlan.Load() == nil {
				r.exemptOverdue()
				c = r.reconcile(ctx, c)
			}
		}
	}
}

// suspendBatching has events read as they come until end is called, which may be called again: while objects change hands,
// who takes them over must not be behind who gives them up.
func (r *Replica) suspendBatching() (end func()) {
	objects, custom := r.client.SuspendBatching(), r.json.SuspendBatching()
	return func() { objects(); custom() }
}

// relist lists a kind again, as the Verifier or a free series requests.
func (r *Replica) relist(ctx context.Context, what repair) {
	k := what.kind
	if !slices.Contains(r.current(), k) {
		return
	}
	k.stop()
	if what.reset {
		k.tombstones.clear()
		k.store.ResetAllVersions()
	}
	r.startReflectors(ctx, k, false) // what was compared was not from a cache either
}

// relistAll lists all kinds again.
func (r *Replica) relistAll(ctx context.Context) {
	for _, k := range r.current() {
		r.startReflectors(ctx, k, false)
	}
}

// maintain sweeps until ctx ends. It has a goroutine of its own, since a change of
// what is served must not wait for it.
func (r *Replica) maintain(ctx context.Context) {
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-sweep.C:
			r.sweep(now)
			r.restoreSeries(ctx, now)
		}
	}
}

// relistNamespaced lists the namespaced kinds again, for other namespaces than
// before. Held objects are not decoded again, what belongs to none of
// them any more goes when the list is complete.
func (r *Replica) relistNamespaced(ctx context.Context) {
	r.logger.Info("the selected namespaces have changed")
	for _, k := range r.current() {
		if k.Namespaced {
			r.startReflectors(ctx, k, r.options.UseAPIServerCache)
		}
	}
}

// replaceKinds starts and ends what differs from the kinds that are followed.
func (r *Replica) replaceKinds(ctx context.Context, c reshardState, wanted []Kind) reshardState {
	old := map[string]*kind{}
	for _, k := range r.current() {
		old[k.Name] = k
	}
	var kinds, fresh []*kind
	for _, w := range wanted {
		if k, ok := old[w.Name]; ok && k.Resource == w.Resource && k.Renderer == w.Renderer {
			delete(old, w.Name)
			kinds = append(kinds, k)
			continue
		}
		k := r.newKind(w)
		k.warming = r.isReady()
		c.sort(k)
		kinds, fresh = append(kinds, k), append(fresh, k)
	}
	r.mu.Lock()
	r.kinds = kinds
	r.mu.Unlock()
	for _, k := range old {
		r.logger.Info("no longer followed", "resource", k.Name)
		k.stop()
	}
	for _, k := range fresh {
		r.startReflectors(ctx, k, r.options.UseAPIServerCache)
	}
	if !r.isReady() && len(fresh) > 0 {
		c.synced = nil // it is not ready before it holds these too
		r.appliedPlan.Store(nil)
		r.preparedPlan.Store(nil)
	}
	return c
}

// freeThreshold is how much a sweep has to pack for the memory to be given back
// at once. Start-up leaves tens of megabytes that the collector, which waits
// for the heap to grow, would otherwise keep for minutes.
const freeThreshold = 8 << 20

func (r *Replica) sweep(now time.Time) {
	before := r.budget.RawBytes()
	for _, k := range r.current() {
		k.store.Sweep(quietAfter, now)
		k.pruneNames()
	}
	if before-r.budget.RawBytes() >= freeThreshold {
		debug.FreeOSMemory()
	}
}
