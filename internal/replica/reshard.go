package replica

import (
	"context"

	"github.com/statefleet/statefleet/shard"
)

// ranges are the parts of the hash ring that matter to a replica: what it serves
// now, and what it will serve once a change that is under way is done.
type ranges struct{ now, next shard.Ranges }

func (g ranges) changing() bool { return !g.now.Equal(g.next) }

// change begins to move from what is served now to what a says.
func (r *Replica) change(ctx context.Context, g ranges, a shard.Assignment) ranges {
	next := a.Ranges()
	switch {
	case next == nil:
		// This replica is about to be stopped. Until then its objects are better
		// served than missing: their new owners may not have them yet.
		r.logger.Info("this replica's ordinal is outside of the fleet now; serving its shard until it is stopped", "shard", a.String())
		return g
	case next.Equal(g.next):
		return g
	}
	r.logger.Info("the shard changes", "shard", a.String(), "gained", next.Minus(g.now).Share(), "lost", g.now.Minus(next).Share())
	ready := r.isReady()
	if !ready {
		g.now = next // nothing is served yet, so nothing has to be kept
	}
	before := *r.held.Load()
	g.next = next
	for _, k := range r.current() {
		k.store.Begin(g.now.Contains, g.next.Contains)
	}
	held := g.now.Union(g.next)
	r.held.Store(&held)
	if len(held.Minus(before)) > 0 {
		// The filter is wide before the list begins, so that nothing that happens
		// meanwhile is lost; what is held already is not decoded again.
		for _, k := range r.current() {
			r.follow(ctx, k)
		}
	}
	return r.settle(g)
}

// settle ends a change, or the start, once everything that it waits for is held.
func (r *Replica) settle(g ranges) ranges {
	kinds := r.current()
	if len(incomplete(kinds)) > 0 {
		return g
	}
	for _, k := range kinds {
		k.store.Commit()
	}
	if g.changing() {
		r.logger.Info("the shard has changed", "share", g.next.Share())
	}
	g.now = g.next
	r.held.Store(&g.now)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ready {
		r.logger.Info("ready")
	}
	r.ready = true
	return g
}
