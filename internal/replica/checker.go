package replica

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/shard"
)

// maxWaiting bounds how many kinds wait for their second look, each with its suspects.
const maxWaiting = 8

// checker compares one kind after the other, each from time to time. A kind that
// has suspects waits for a second look, and while it does the others go on.
type checker struct {
	*Replica
	waiting  []waiting // in the order in which they are due
	next     time.Time // when a kind has its turn
	nextKind int       // which one, of those there are then
	urgent   int       // kinds to check at once: the versions of a kind have begun again
}

// waiting is a kind that had suspects at the first look.
type waiting struct {
	kind  *kind
	found discrepancies
	plan  *shard.Plan // another shard has other objects
	due   time.Time   // time of the second look
}

// checkKinds checks kinds until ctx ends.
func (r *Replica) checkKinds(ctx context.Context) {
	c := &checker{Replica: r, nextKind: rand.IntN(max(len(r.current()), 1))} // replicas start together
	c.next = time.Now().Add(c.pace())
	for ctx.Err() == nil {
		c.step(ctx)
	}
}

// pace is the time from one turn to the next. It is a random one, so that the replicas of
// a fleet do not list the same kind at the same time.
func (c *checker) pace() time.Duration {
	if c.urgent > 0 {
		return 0
	}
	return watch.Spread(c.options.CheckEvery / time.Duration(max(len(c.current()), 1)))
}

// step waits for what comes next, and does it.
func (c *checker) step(ctx context.Context) {
	wake, alarm := c.next, c.urgentChecks
	full := len(c.waiting) >= maxWaiting
	second := len(c.waiting) > 0 && (full || c.waiting[0].due.Before(c.next))
	if second {
		wake = c.waiting[0].due
	}
	if full {
		alarm = nil
	}
	t := time.NewTimer(time.Until(wake))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case k := <-alarm:
		c.startCheck(ctx, k)
	case <-t.C:
		if second {
			c.confirmCheck(ctx)
		} else {
			c.checkNext(ctx)
		}
	}
}

// checkNext starts the check of the next kind.
func (c *checker) checkNext(ctx context.Context) {
	if kinds := c.current(); len(kinds) > 0 {
		c.startCheck(ctx, kinds[c.nextKind%len(kinds)])
		c.nextKind++
	}
	c.urgent = max(c.urgent-1, 0)
	c.next = time.Now().Add(c.pace())
}

// startCheck compares a kind for the first time. One that waits for its second look goes on waiting,
// unless its versions have begun again.
func (c *checker) startCheck(ctx context.Context, k *kind) {
	i := slices.IndexFunc(c.waiting, func(w waiting) bool { return w.kind == k })
	waits := i >= 0
	if waits && c.waiting[i].found.restart && c.urgent == 0 {
		return
	}
	plan := c.appliedPlan.Load()
	found, result := c.firstPass(ctx, k, plan)
	if ctx.Err() != nil || waits && !found.restart {
		return
	}
	if waits {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
	switch {
	case found.restart && c.urgent > 0:
		result = c.requestRelist(ctx, repair{k, true}, checkRestarted)
	case result == "":
		c.waiting = append(c.waiting, waiting{k, found, plan, time.Now().Add(c.options.CheckGrace)})
		return
	}
	k.counters.checks(result).Inc()
}

// confirmCheck compares for the second time where that is due.
func (c *checker) confirmCheck(ctx context.Context) {
	w := c.waiting[0]
	c.waiting = slices.Delete(c.waiting, 0, 1)
	result := c.secondPass(ctx, w)
	if ctx.Err() != nil {
		return
	}
	w.kind.counters.checks(result).Inc()
	if result == checkRestarted && c.urgent == 0 {
		c.urgent = len(c.current()) // whose versions have most likely begun again, too
		c.next = time.Now()
		if c.namespaceSet != nil {
			c.namespaceSet.source.CheckSoon()
		}
		if c.options.OnVersionReset != nil {
			c.options.OnVersionReset()
		}
	}
}
