package replica

import (
	"context"

	"github.com/statefleet/statefleet/shard"
)

// course is where a replica stands on its way to a plan: it moves to what the
// plan serves first, and only then prepares what the plan changes to.
type course struct {
	plan      shard.Plan
	goal, end shard.Ranges // what the plan serves, and what it changes to
	now, next shard.Ranges // what is served, and what is held to be served next
	held      bool         // all of now and next is held; that stays so
}

// begin is the course of a replica that serves nothing yet.
func begin(p shard.Plan) course {
	now, next := p.Now(), p.Next()
	return course{plan: p, goal: now, end: next, now: now, next: next}
}

// turn makes the replica follow another plan.
func (r *Replica) turn(ctx context.Context, c course, p shard.Plan) course {
	known := c.plan
	known.Due = p.Due
	c.plan = p
	if p == known {
		return c
	}
	c.goal, c.end = p.Now(), p.Next()
	r.settled.Store(nil)
	prepared := c.held && c.next.Equal(c.goal)
	if !r.isReady() && !prepared && !c.now.Equal(c.goal) {
		c.now, c.held = c.goal, false // nothing is served yet, so nothing has to be kept
		r.waitFor(idle(c))
	}
	return r.settle(ctx, r.prepare(ctx, c))
}

// idle is why a replica that owns nothing is not ready.
func idle(c course) error {
	if len(c.now) == 0 {
		return errNothing
	}
	return nil
}

// prepare begins to hold what comes next, besides what is served.
func (r *Replica) prepare(ctx context.Context, c course) course {
	next := c.end
	if !c.now.Equal(c.goal) {
		next = c.goal
	}
	if c.held && next.Equal(c.next) {
		return c
	}
	if !next.Equal(c.next) {
		r.logger.Info("the shard changes", "gained", next.Minus(c.now).Share(), "lost", c.now.Minus(next).Share())
	}
	c.next, c.held = next, false
	for _, k := range r.current() {
		c.sort(k)
	}
	before, held := *r.held.Load(), c.now.Union(c.next)
	r.held.Store(&held)
	if len(held) == 0 || len(held.Minus(before)) > 0 {
		// The filter is wide before the list begins, so that nothing that happens
		// meanwhile is lost; what is held already is not decoded again.
		for _, k := range r.current() {
			r.follow(ctx, k)
		}
	}
	return c
}

// sort makes the kind's store tell what is served from what is held only.
func (c course) sort(k *kind) { k.store.Begin(c.now.Contains, c.next.Contains) }

// settle goes as far on the course as what is held allows.
func (r *Replica) settle(ctx context.Context, c course) course {
	owns := len(c.now)+len(c.next) > 0
	if owns && !c.held && len(incomplete(r.current())) > 0 {
		return c
	}
	c.held = true
	if !c.now.Equal(c.goal) {
		return r.settle(ctx, r.prepare(ctx, r.switchOver(c)))
	}
	if c.now.Equal(c.next) {
		c = r.switchOver(c)
	}
	r.show(c)
	plan := c.plan
	r.settled.Store(&plan)
	return c
}

// switchOver serves what was prepared, from one moment to the next.
func (r *Replica) switchOver(c course) course {
	for _, k := range r.current() {
		k.store.Commit()
	}
	if !c.now.Equal(c.next) {
		r.logger.Info("the shard has changed", "share", c.next.Share())
	}
	c.now = c.next
	held := c.now
	r.held.Store(&held)
	r.show(c)
	return c
}

// show makes the replica ready, or not ready again because it owns nothing.
func (r *Replica) show(c course) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting = idle(c)
	if ready := r.waiting == nil; ready != r.ready {
		r.ready = ready
		r.logger.Info("readiness has changed", "ready", ready)
	}
}

// Follow makes the replica serve and hold what the plan says; see shard.Member.
// The first call starts it. Follow does not wait.
func (r *Replica) Follow(p shard.Plan) { r.assigned.put(p) }

// Holds reports whether everything that the plan asks for is held; see
// shard.Member.
func (r *Replica) Holds(p shard.Plan) bool {
	settled := r.settled.Load()
	if settled == nil {
		return false
	}
	p.Due = settled.Due
	return *settled == p
}

var _ shard.Member = (*Replica)(nil)
