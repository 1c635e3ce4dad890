package replica

import (
	"context"

	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// Follow makes the replica hold and serve what the plan says; see fleet.Member. The first call
// starts it. Follow does not wait.
func (r *Replica) Follow(p shard.Plan) { r.newPlan.put(p) }

// Holds returns how much of a plan the replica holds; see fleet.Member.
func (r *Replica) Holds(p shard.Plan) shard.Held {
	if now := r.progress.Load(); now.tables == heldTables(p) {
		return now.held
	}
	return shard.Held{}
}

// progress is how much the replica holds of its plan; the zero value is nothing.
type progress struct {
	tables shard.Plan // see heldTables
	held   shard.Held
}

// setProgress sets the progress, and calls HoldsChanged if there is some.
func (r *Replica) setProgress(p shard.Plan, held shard.Held) {
	now := &progress{heldTables(p), held}
	before := r.progress.Swap(now)
	if *before != *now && held != (shard.Held{}) && r.options.HoldsChanged != nil {
		r.options.HoldsChanged()
	}
}

// holdsAll reports whether the replica holds all of its plan.
func (r *Replica) holdsAll() bool { return r.progress.Load().held.All }

// reshardState is the progress of a replica towards a plan. The replica serves only ranges that it
// holds completely, and keeps serving the old ones until it serves those of the plan.
type reshardState struct {
	plan    shard.Plan
	shards  shard.Shards // of the plan
	parts   parts        // by which the stores are partitioned
	visible shard.Ranges // served
	held    shard.Ranges // stored by the Reflectors
	synced  shard.Ranges // the part of held that is known to be complete
}

// setPlan replaces the plan.
func (r *Replica) setPlan(ctx context.Context, s reshardState, p shard.Plan) reshardState {
	if heldTables(p) != heldTables(s.plan) {
		s.shards = p.Shards()
		r.progress.Store(new(progress))
	}
	s.plan = p
	return r.reconcile(ctx, s)
}

// heldTables returns the part of a plan that decides which ranges are held.
func heldTables(p shard.Plan) shard.Plan {
	p.SwitchScheduled, p.ServesNeighbour, p.ServedByStandby = false, false, false
	return p
}

// desiredVisible returns the ranges that the replica must serve by its plan.
func (s reshardState) desiredVisible() (desired shard.Ranges) {
	for _, ranges := range s.plan.Serves(s.shards) {
		desired = desired.Union(ranges)
	}
	return desired
}

// desiredHeld returns the ranges that the replica must hold now. A replica that starts while the
// fleet grows first loads its part of the target table, which is the smaller one. So it can report
// that part as held even if it has no memory for the larger one.
func (r *Replica) desiredHeld(s reshardState) shard.Ranges {
	target := s.shards.Target()
	starting := len(s.visible) == 0 && !r.isReady() && len(s.shards.Own.Difference(s.synced)) > 0
	if starting && s.plan.Grows() && len(target) > 0 && (s.plan.TargetOnly || len(target.Difference(s.synced)) > 0) {
		return target
	}
	return s.shards.All().Union(s.visible)
}

// reconcile goes as far towards the plan as the held objects allow.
func (r *Replica) reconcile(ctx context.Context, s reshardState) reshardState {
	visible := s.desiredVisible()
	for {
		held := r.desiredHeld(s)
		switch {
		case !visible.Equal(s.visible) && len(visible.Difference(s.synced)) == 0 && s.parts.contains(s.plan.Serves(s.shards)):
			s = r.switchVisible(s, visible)
		case !held.Equal(s.held) || !s.parts.contains(s.shards.List()):
			s = r.setHeld(ctx, s, held)
		case !s.synced.Equal(s.held) && len(incomplete(r.current())) == 0 && r.showComplete():
			s.synced = s.held
		default:
			r.publishStatus(s, visible)
			return s
		}
	}
}

// switchVisible makes these ranges visible, in one step for each store, and hides all others.
func (r *Replica) switchVisible(s reshardState, visible shard.Ranges) reshardState {
	r.logger.Info("switching the served hash ranges", "share", visible.Fraction(), "share_before", s.visible.Fraction())
	if len(visible) == 0 {
		r.setServing(false) // before the stores are empty: scrapes must get 503, not an empty exposition
	}
	for _, k := range r.current() {
		k.store.SetVisible(s.parts.within(visible))
	}
	s.visible = visible
	return s
}

// setHeld makes the replica hold these ranges. It lists the added ones, and drops objects outside
// of the ranges.
func (r *Replica) setHeld(ctx context.Context, s reshardState, held shard.Ranges) reshardState {
	added, running := held.Difference(s.held), len(s.held) > 0
	if len(added) > 0 {
		r.logger.Info("loading added hash ranges", "share", held.Fraction(), "share_added", added.Fraction())
	}
	s.held, s.synced = held, s.synced.Intersect(held)
	s.parts = newParts(append(s.shards.List(), s.visible)...)
	// The filter is widened before anything is listed, so that no event is lost meanwhile.
	r.held.Store(&held)
	if len(held) > 0 {
		r.loadState(held)
	}
	for _, k := range r.current() {
		s.partition(k)
	}
	for _, k := range r.current() {
		switch {
		case len(held) > 0 && len(added) == 0:
		case len(held) > 0 && running && r.addRanges(k, added):
		default:
			r.startReflectors(ctx, k, r.options.UseAPIServerCache)
		}
	}
	return s
}

// partition makes the kind's store separate visible objects from those that are only held. Objects
// outside of the held ranges are dropped, because their deletions are not noticed any more.
func (s reshardState) partition(k *kind) {
	k.store.SetPartitioning(func(hash uint64) (partition store.Partition, held bool) {
		return s.parts.partition(hash), s.held.Contains(hash)
	}, s.parts.within(s.visible))
}

// publishStatus publishes the progress: whether the replica is ready, whether it serves, and how
// much of the plan it holds. The call of HoldsChanged comes last, because its receiver may scrape
// at once.
func (r *Replica) publishStatus(s reshardState, visible shard.Ranges) {
	complete := s.synced.Equal(s.held)
	if complete {
		for _, k := range r.current() {
			if !k.hidden.Load() {
				k.store.EndBulkLoad()
			}
		}
	}
	r.visible.Store(&s.visible)
	// With standby, visible may be empty because another replica serves the shard. So ready also
	// requires that the shard is held, and that of the neighbour, which a ready replica serves at once.
	active := s.shards.Own.Union(s.shards.Neighbour)
	r.setReady(s, s.visible.Equal(visible) && len(active.Difference(s.synced)) == 0)
	r.setProgress(s.plan, shard.Held{Target: len(s.shards.Target().Difference(s.synced)) == 0, All: complete})
}

// setReady sets whether the replica is ready and serves. A ready replica stays ready while it has a
// shard.
func (r *Replica) setReady(s reshardState, complete bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = nil
	if len(s.shards.Own) == 0 {
		r.waiting = ErrNoShard
	}
	r.serving = len(s.visible) > 0
	if ready := r.waiting == nil && (r.ready || complete); ready != r.ready {
		r.ready = ready
		r.logger.Info("readiness has changed", "ready", ready)
	}
}

func (r *Replica) setServing(serving bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.serving = serving
}
