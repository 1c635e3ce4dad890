package replica

import (
	"context"

	"github.com/statefleet/statefleet/shard"
)

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
	if !r.isReady() {
		// Nothing is served yet, so nothing has to be kept.
		g.now = next
	}
	before := g.now.Union(g.next)
	g.next = next
	for _, k := range r.kinds {
		k.store.Begin(g.now.Contains, g.next.Contains)
	}
	held := g.now.Union(g.next)
	gained := len(held.Minus(before)) > 0 || !r.isReady()
	r.held.Store(&held)
	if gained {
		// The filter is wide before the list begins, so that nothing that happens
		// meanwhile is lost; what is held already is not decoded again.
		r.current().stop()
		r.setFollowing(r.follow(ctx))
	}
	return r.settle(g)
}

// settle ends a change, or the start, once everything that it waits for is held.
func (r *Replica) settle(g ranges) ranges {
	if r.current().missing() != nil {
		return g
	}
	for _, k := range r.kinds {
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
