package replica

import (
	"context"
	"sync"
	"time"

	"github.com/statefleet/statefleet/shard"
)

const (
	// syncPoll is how often the loop polls kinds that readiness or a change of shard waits for.
	syncPoll = 50 * time.Millisecond
	// unbatchedAfterPlan is how long events are not batched after each change of the plan. A switch
	// that the plan announces is over by then.
	unbatchedAfterPlan = 10 * time.Second
	// namespaceDebounce is how long further changes of the selected namespaces are collected, since
	// each relists all namespaced kinds.
	namespaceDebounce = time.Second
)

// Run lists and watches the kinds until ctx ends. When it returns, all goroutines that it started
// have ended.
func (r *Replica) Run(ctx context.Context) {
	defer r.client.CloseIdleConnections()
	defer r.json.CloseIdleConnections()
	var kinds []Kind // set before the first plan, so that readiness waits for them
	if r.options.KindsFollow {
		select {
		case <-ctx.Done():
			return
		case kinds = <-r.newKinds:
		}
		r.setWaiting(errNotAssigned)
	}
	plan, ok := r.firstPlan(ctx)
	if !ok {
		return
	}
	r.progress.Store(new(progress))
	r.logger.Info("starting", "shard", plan.Ordinal, "total", plan.Active)
	var background sync.WaitGroup
	defer background.Wait()
	if r.namespaceSet != nil {
		background.Go(func() { r.namespaceSet.watch.Run(ctx) })
		r.setWaiting(errNoNamespaces)
		if !r.namespaceSet.wait(ctx) {
			return
		}
	}
	defer func() {
		for _, k := range r.current() {
			k.stop()
		}
	}()
	background.Go(func() { r.maintain(ctx) })
	mismatch := r.options.Metrics.sharding.Mismatch()
	select {
	case <-mismatch:
		mismatch = nil // an earlier Replica has found it, and no selector has been sent since
	default:
	}
	s := reshardState{plan: plan, shards: plan.Shards()}
	select {
	case kinds = <-r.newKinds:
	default:
	}
	if kinds != nil {
		s = r.replaceKinds(ctx, s, kinds)
	}
	r.loop(ctx, r.reconcile(ctx, s), mismatch)
}

// setWaiting sets the reason why nothing is listed yet.
func (r *Replica) setWaiting(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = err
}

// firstPlan waits for a plan by which the replica holds something.
func (r *Replica) firstPlan(ctx context.Context) (shard.Plan, bool) {
	for {
		select {
		case <-ctx.Done():
			return shard.Plan{}, false
		case p := <-r.newPlan:
			if len(p.Shards().All()) > 0 {
				return p, true
			}
			r.setProgress(p, shard.Held{Target: true, All: true})
			r.setWaiting(ErrNoShard)
			r.logger.Info("this replica's ordinal is outside of the fleet; waiting for a shard", "ordinal", p.Ordinal, "total", p.Active)
		}
	}
}

// loop reacts to plans, kinds, namespaces and requests to relist until ctx ends. mismatch is closed
// when an API server turns out to leave out objects that the replica must hold.
func (r *Replica) loop(ctx context.Context, s reshardState, mismatch <-chan struct{}) {
	fastPoll, slowPoll := time.NewTicker(syncPoll), time.NewTicker(overduePoll)
	defer fastPoll.Stop()
	defer slowPoll.Stop()
	var namespacesChanged latest[struct{}]
	if r.namespaceSet != nil {
		namespacesChanged = r.namespaceSet.changed
	}
	var relistNamespaces, batchAgain <-chan time.Time // nil while not scheduled
	resumeBatching := func() {}
	defer func() { resumeBatching() }()
	for {
		var poll <-chan time.Time // nil while no kind is incomplete: an idle process must not wake up
		switch r.pollInterval() {
		case syncPoll:
			poll = fastPoll.C
		case overduePoll:
			poll = slowPoll.C
		}
		select {
		case <-ctx.Done():
			return
		case p := <-r.newPlan:
			resumeEarlier := resumeBatching
			resumeBatching, batchAgain = r.suspendBatching(), time.After(unbatchedAfterPlan)
			resumeEarlier() // after the new suspension, so that there is no gap between the two
			s = r.setPlan(ctx, s, p)
		case <-batchAgain:
			resumeBatching()
		case kinds := <-r.newKinds:
			s = r.replaceKinds(ctx, s, kinds)
		case <-namespacesChanged:
			if relistNamespaces == nil {
				relistNamespaces = time.After(namespaceDebounce)
			}
		case <-relistNamespaces:
			relistNamespaces = nil
			if !r.relistNamespaced(ctx) {
				relistNamespaces = time.After(namespaceDebounce)
			}
		case <-mismatch:
			mismatch = nil
			r.relistAll(ctx)
		case k := <-r.relistRequests:
			r.relist(ctx, k)
		case <-poll:
			r.showComplete()
			if !r.holdsAll() {
				r.exemptOverdue()
				s = r.reconcile(ctx, s)
			}
		}
	}
}

// suspendBatching delivers events without delay until resume is called, which may be called again:
// while objects move between replicas, the new owner must not lag behind the old one.
func (r *Replica) suspendBatching() (resume func()) {
	resumeBuiltin, resumeJSON := r.client.SuspendBatching(), r.json.SuspendBatching()
	return func() { resumeBuiltin(); resumeJSON() }
}
