package replica

import (
	"context"
	"slices"

	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// course is where a replica stands on its way to a plan. It serves nothing that
// it does not hold completely, and gives nothing up that it serves before it
// serves what the plan says.
type course struct {
	plan   shard.Plan
	shards shard.Shards // of the plan
	parts  parts        // that the stores are divided into
	shown  shard.Ranges // what is served
	held   shard.Ranges // what the Sources keep
	whole  shard.Ranges // of that, what is known to be complete
}

// turn makes the replica follow another plan.
func (r *Replica) turn(ctx context.Context, c course, p shard.Plan) course {
	if tables(p) != tables(c.plan) {
		c.shards = p.Shards()
		r.settled.Store(nil)
		r.prepared.Store(nil)
	}
	c.plan = p
	return r.advance(ctx, c)
}

// tables is what of a plan says what has to be held.
func tables(p shard.Plan) shard.Plan {
	p.SwitchScheduled, p.ServesNeighbour, p.ServedByStandby = false, false, false
	return p
}

// goal is what the plan has the replica serve.
func (c course) goal() (goal shard.Ranges) {
	for _, served := range c.plan.Serves(c.shards) {
		goal = goal.Union(served)
	}
	return goal
}

// toHold is what the replica is to hold. One that starts while the fleet grows begins with its part of the target, which is
// the smaller one: it can report that to the others although it may not have memory for more.
func (r *Replica) toHold(c course) shard.Ranges {
	next := c.shards.Next()
	starts := len(c.shown) == 0 && !r.isReady() && len(c.shards.Own.Difference(c.whole)) > 0
	if starts && c.plan.Grows() && len(next) > 0 && (c.plan.NextOnly || len(next.Difference(c.whole)) > 0) {
		return next
	}
	return c.shards.All().Union(c.shown)
}

// advance goes as far on the course as what is held allows.
func (r *Replica) advance(ctx context.Context, c course) course {
	goal := c.goal()
	for {
		held := r.toHold(c)
		switch served := c.plan.Serves(c.shards); {
		case !goal.Equal(c.shown) && len(goal.Difference(c.whole)) == 0 && c.parts.have(served):
			c = r.serve(c, served, goal)
		case !held.Equal(c.held) || !c.parts.have(c.shards.List()):
			c = r.hold(ctx, c, held)
		case !c.whole.Equal(c.held) && len(incomplete(r.current())) == 0:
			c.whole = c.held
		default:
			r.arrive(c, goal)
			return c
		}
	}
}

// serve shows what is held, from one moment to the next.
func (r *Replica) serve(c course, shards []shard.Ranges, goal shard.Ranges) course {
	r.logger.Info("what is served changes", "share", goal.Fraction(), "before", c.shown.Fraction())
	if len(goal) == 0 {
		r.setServing(false) // first: nobody is to take an empty page for a true one
	}
	for _, k := range r.current() {
		k.store.SetVisible(c.parts.of(shards...))
	}
	c.shown = goal
	return c
}

// hold makes the replica hold these ranges, besides what it holds of them.
func (r *Replica) hold(ctx context.Context, c course, held shard.Ranges) course {
	gained, follows := held.Difference(c.held), len(c.held) > 0
	if len(gained) > 0 {
		r.logger.Info("more is to be held", "share", held.Fraction(), "gained", gained.Fraction())
	}
	c.held, c.whole = held, c.whole.Intersect(held)
	c.parts = divide(append(c.shards.List(), c.shown)...)
	r.held.Store(&held)
	for _, k := range r.current() {
		c.sort(k)
	}
	for _, k := range r.current() {
		// The filter is wide before anything is listed, so that nothing that happens
		// meanwhile is lost.
		switch {
		case len(held) > 0 && len(gained) == 0:
		case len(held) > 0 && follows && r.acquire(k, gained):
		default:
			r.follow(ctx, k, r.options.UseAPIServerCache)
		}
	}
	return c
}

// sort makes the kind's store tell what is served from what is held only.
func (c course) sort(k *kind) { k.store.SetPartitioning(c.parts.part, c.parts.of(c.shown)) }

// arrive says how far the replica has come: whether it is ready, whether it
// serves, and how much it holds of what the plan asks for. That comes last: who
// hears of it may look at the page at once.
func (r *Replica) arrive(c course, goal shard.Ranges) {
	complete := c.whole.Equal(c.held)
	if complete {
		for _, k := range r.current() {
			if !k.late {
				k.store.EndBulkLoad()
			}
		}
	}
	r.shown.Store(&c.shown)
	// With standby another replica may serve this one's shard, so that there is nothing to show.
	r.setReady(c, complete && c.shown.Equal(goal) && len(c.shards.Own.Difference(c.whole)) == 0)
	plan, changed := tables(c.plan), false
	if len(c.shards.Next().Difference(c.whole)) == 0 {
		changed = r.prepared.Swap(&plan) == nil
	}
	if complete {
		changed = r.settled.Swap(&plan) == nil || changed
	}
	if changed {
		r.options.holdsChanged()
	}
}

// setReady sets whether the replica is ready and serves. It becomes ready when everything is there, and remains so.
func (r *Replica) setReady(c course, all bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = nil
	if len(c.shards.Own) == 0 {
		r.waiting = errNothing
	}
	r.serving = len(c.shown) > 0
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
	is := func(of *shard.Plan) bool { return of != nil && *of == tables(p) }
	return shard.Held{Next: is(r.prepared.Load()), All: is(r.settled.Load())}
}

// parts are sets of hashes that the stores can tell from one another. The part
// of a hash is a number with one bit for each set that it is in.
type parts []shard.Ranges

// divide makes parts of at most five sets.
func divide(sets ...shard.Ranges) parts {
	var all parts
	for _, set := range sets {
		if len(set) > 0 && !all.have([]shard.Ranges{set}) {
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

// have reports whether all these sets, but for empty ones, can be told.
func (p parts) have(sets []shard.Ranges) bool {
	for _, set := range sets {
		if len(set) > 0 && p.index(set) < 0 {
			return false
		}
	}
	return true
}

// of returns the parts whose hashes are in one of the sets.
func (p parts) of(sets ...shard.Ranges) store.PartitionSet {
	var bits store.Partition
	for _, set := range sets {
		if i := p.index(set); i >= 0 {
			bits |= 1 << i
		}
	}
	return store.PartitionSetOf(func(part store.Partition) bool { return part&bits != 0 })
}
