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

// checks have a look at one kind after the other, each once in a while. A kind that
// has suspects waits for a second look, and while it does the others go on.
type checks struct {
	*Replica
	waiting []waiting // in the order in which they are due
	next    time.Time // when a kind has its turn
	turn    int       // which one, of those there are then
	hurry   int       // turns to take at once: the versions of a kind have begun anew
}

// waiting is a kind that had suspects at the first look.
type waiting struct {
	kind  *kind
	found suspects
	plan  *shard.Plan // another shard has other objects
	due   time.Time   // time of the second look
}

// checkKinds checks kinds until ctx ends.
func (r *Replica) checkKinds(ctx context.Context) {
	c := &checks{Replica: r, turn: rand.IntN(max(len(r.current()), 1))} // replicas start together
	c.next = time.Now().Add(c.pace())
	for ctx.Err() == nil {
		c.step(ctx)
	}
}

// pace is the time from one turn to the next. It is a random one, so that the replicas of
// a fleet do not list the same kind at the same time.
func (c *checks) pace() time.Duration {
	if c.hurry > 0 {
		return 0
	}
	return watch.Spread(c.options.CheckEvery / time.Duration(max(len(c.current()), 1)))
}

// step waits for what comes next, and does it.
func (c *checks) step(ctx context.Context) {
	wake, alarm := c.next, c.alarm
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
		c.first(ctx, k)
	case <-t.C:
		if second {
			c.second(ctx)
		} else {
			c.takeTurn(ctx)
		}
	}
}

// takeTurn has a first look at the kind whose turn it is.
func (c *checks) takeTurn(ctx context.Context) {
	if kinds := c.current(); len(kinds) > 0 {
		c.first(ctx, kinds[c.turn%len(kinds)])
		c.turn++
	}
	c.hurry = max(c.hurry-1, 0)
	c.next = time.Now().Add(c.pace())
}

// first has a first look at a kind. One that waits for its second look goes on waiting,
// unless it turns out that its versions have begun anew.
func (c *checks) first(ctx context.Context, k *kind) {
	i := slices.IndexFunc(c.waiting, func(w waiting) bool { return w.kind == k })
	waits := i >= 0
	if waits && c.waiting[i].found.restart && c.hurry == 0 {
		return
	}
	plan := c.settled.Load()
	found, result := c.look(ctx, k, plan)
	if ctx.Err() != nil || waits && !found.restart {
		return
	}
	if waits {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
	switch {
	case found.restart && c.hurry > 0:
		result = c.mend(ctx, repair{k, true}, checkRestarted)
	case result == "":
		c.waiting = append(c.waiting, waiting{k, found, plan, time.Now().Add(c.options.CheckGrace)})
		return
	}
	k.counters.checks(result).Inc()
}

// second has the second look that is due.
func (c *checks) second(ctx context.Context) {
	w := c.waiting[0]
	c.waiting = slices.Delete(c.waiting, 0, 1)
	result := c.lookAgain(ctx, w)
	if ctx.Err() != nil {
		return
	}
	w.kind.counters.checks(result).Inc()
	if result == checkRestarted && c.hurry == 0 {
		c.hurry = len(c.current()) // whose versions have most likely begun anew, too
		c.next = time.Now()
		if c.selection != nil {
			c.selection.source.CheckSoon()
		}
		if c.options.Restarted != nil {
			c.options.Restarted()
		}
	}
}
