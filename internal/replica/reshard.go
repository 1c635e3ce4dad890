package replica

import (
	"context"
	"slices"

	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// reshardState is how far a replica has come towards a plan. It serves nothing that
// it does not hold completely, and gives nothing up that it serves before it
// serves what the plan says.
type reshardState struct {
	plan    shard.Plan
	shards  shard.Shards // of the plan
	parts   parts        // that the stores are divided into
	visible shard.Ranges // what is served
	held    shard.Ranges // what the Reflectors keep
	synced  shard.Ranges // of that, what is known to be complete
}

// setPlan makes the replica follow another plan.
func (r *Replica) setPlan(ctx context.Context, c reshardState, p shard.Plan) reshardState {
	if heldTables(p) != heldTables(c.plan) {
		c.shards = p.Shards()
		r.appliedPlan.Store(nil)
		r.preparedPlan.Store(nil)
	}
	c.plan = p
	return r.reconcile(ctx, c)
}

// heldTables is the part of a plan that says what must be held.
func heldTables(p shard.Plan) shard.Plan {
	p.SwitchScheduled, p.ServesNeighbour, p.ServedByStandby = false, false, false
	return p
}

// desiredVisible is what the plan has the replica serve.
func (c reshardState) desiredVisible() (goal shard.Ranges) {
	for _, served := range c.plan.Serves(c.shards) {
		goal = goal.Union(served)
	}
	return goal
}

// toHold is what the replica is to hold. One that starts while the fleet grows begins with its part of the target, which is
// the smaller one: it can report that to the others although it may not have memory for more.
func (r *Replica) toHold(c reshardState) shard.Ranges {
	next := c.shards.Next()
	starts := len(c.visible) == 0 && !r.isReady() && len(c.shards.Own.Difference(c.synced)) > 0
	if starts && c.plan.Grows() && len(next) > 0 && (c.plan.NextOnly || len(next.Difference(c.synced)) > 0) {
		return next
	}
	return c.shards.All().Union(c.visible)
}

// reconcile goes as far towards the plan as the held objects allow.
func (r *Replica) reconcile(ctx context.Context, c reshardState) reshardState {
	goal := c.desiredVisible()
	for {
		held := r.toHold(c)
		switch served := c.plan.Serves(c.shards); {
		case !goal.Equal(c.visible) && len(goal.Difference(c.synced)) == 0 && c.parts.contains(served):
			c = r.switchVisible(c, served, goal)
		case !held.Equal(c.held) || !c.parts.contains(c.shards.List()):
			c = r.expandHeld(ctx, c, held)
		case !c.synced.Equal(c.held) && len(incomplete(r.current())) == 0:
			c.synced = c.held
		default:
			r.publishStatus(c, goal)
			return c
		}
	}
}

// switchVisible makes held ranges visible, in one moment.
func (r *Replica) switchVisible(c reshardState, shards []shard.Ranges, goal shard.Ranges) reshardState {
	r.logger.Info("what is served changes", "share", goal.Fraction(), "before", c.visible.Fraction())
	if len(goal) == 0 {
		r.setServing(false) // first: an empty page must not be taken for a true one
	}
	for _, k := range r.current() {
		k.store.SetVisible(c.parts.union(shards...))
	}
	c.visible = goal
	return c
}

// expandHeld makes the replica hold these ranges in addition to those that it holds.
func (r *Replica) expandHeld(ctx context.Context, c reshardState, held shard.Ranges) reshardState {
	gained, follows := held.Difference(c.held), len(c.held) > 0
	if len(gained) > 0 {
		r.logger.Info("loading added hash ranges", "share", held.Fraction(), "added", gained.Fraction())
	}
	c.held, c.synced = held, c.synced.Intersect(held)
	c.parts = newParts(append(c.shards.List(), c.visible)...)
	r.held.Store(&held)
	for _, k := range r.current() {
		c.sort(k)
	}
	for _, k := range r.current() {
		// The filter is wide before anything is listed, so that nothing that happens
		// meanwhile is lost.
		switch {
		case len(held) > 0 && len(gained) == 0:
		case len(held) > 0 && follows && r.addRanges(k, gained):
		default:
			r.startReflectors(ctx, k, r.options.UseAPIServerCache)
		}
	}
	return c
}

// sort makes the kind's store tell visible objects from those that are only held.
func (c reshardState) sort(k *kind) { k.store.SetPartitioning(c.parts.part, c.parts.union(c.visible)) }

// publishStatus says how far the replica has come: whether it is ready, whether it
// serves, and how much it holds of what the plan asks for. That comes last: who
// is told may read the page at once.
func (r *Replica) publishStatus(c reshardState, goal shard.Ranges) {
	complete := c.synced.Equal(c.held)
	if complete {
		for _, k := range r.current() {
			if !k.warming {
				k.store.EndBulkLoad()
			}
		}
	}
	r.visible.Store(&c.visible)
	// With standby another replica may serve this one's shard, so that there is nothing to show.
	r.setReady(c, complete && c.visible.Equal(goal) && len(c.shards.Own.Difference(c.synced)) == 0)
	plan, changed := heldTables(c.plan), false
	if len(c.shards.Next().Difference(c.synced)) == 0 {
		changed = r.preparedPlan.Swap(&plan) == nil
	}
	if complete {
		changed = r.appliedPlan.Swap(&plan) == nil || changed
	}
	if changed {
		r.options.holdsChanged()
	}
}

// setReady sets whether the replica is ready and serves. It becomes ready when everything is there, and remains so.
func (r *Replica) setReady(c reshardState, all bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = nil
	if len(c.shards.Own) == 0 {
		r.waiting = errNoShardOwned
	}
	r.serving = len(c.visible) > 0
	if ready := r.waiting == nil && (r.ready || all); ready != r.ready {
		r.ready = ready
		r.logger.Info("readiness has changed", "ready", ready)
	}
}

func (r *Replica) setServing(serving bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.serving = serving
}

// Follow makes the replica serve and hold what the plan says; see fleet.Member.
// The first call starts it. Follow does not wait.
func (r *Replica) Follow(p shard.Plan) { r.assigned.put(p) }

// Holds says how much is held of what the plan asks for; see fleet.Member.
func (r *Replica) Holds(p shard.Plan) shard.Held {
	is := func(of *shard.Plan) bool { return of != nil && *of == heldTables(p) }
	return shard.Held{Next: is(r.preparedPlan.Load()), All: is(r.appliedPlan.Load())}
}

// parts are sets of hashes that the stores can tell from one another. The part
// of a hash is a number with one bit for each set that it is in.
type parts []shard.Ranges

// newParts makes parts of at most five sets.
func newParts(sets ...shard.Ranges) parts {
	var all parts
	for _, set := range sets {
		if len(set) > 0 && !all.contains([]shard.Ranges{set}) {
			all = append(all, set)
		}
	}
	return all
}

// part is the function that store.SetPartitioning takes.
func (p parts) part(hash uint64) (part store.Partition, held bool) {
	for i, set := range p {
		if set.Contains(hash) {
			part |= 1 << i
		}
	}
	return part, part != 0
}

func (p parts) index(set shard.Ranges) int { return slices.IndexFunc(p, set.Equal) }

// contains reports whether all these sets, but for empty ones, can be told.
func (p parts) contains(sets []shard.Ranges) bool {
	for _, set := range sets {
		if len(set) > 0 && p.index(set) < 0 {
			return false
		}
	}
	return true
}

// union returns the parts whose hashes are in one of the sets.
func (p parts) union(sets ...shard.Ranges) store.PartitionSet {
	var bits store.Partition
	for _, set := range sets {
		if i := p.index(set); i >= 0 {
			bits |= 1 << i
		}
	}
	return store.PartitionSetOf(func(part store.Partition) bool { return part&bits != 0 })
}
