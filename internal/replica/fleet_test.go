package replica

import (
	"slices"

	"github.com/statefleet/statefleet/internal/history"
	"github.com/statefleet/statefleet/shard"
)

// fleet are the replicas of a chronicle, which move in step.
type fleet struct {
	c         *chronicle
	witnesses []*witness
	total     int
	stale     bool // lists may be older than when they were asked for
	changes   map[string]int
}

func (c *chronicle) fleet(total int) *fleet {
	c.t.Helper()
	f := &fleet{c: c, total: total, changes: map[string]int{}}
	for range total + 1 {
		f.witnesses = append(f.witnesses, c.witness(0, nil))
	}
	f.follow(total, total, -1)
	for _, w := range f.serving() {
		w.waitReady()
	}
	return f
}

func (f *fleet) serving() []*witness { return f.witnesses[:f.total] }

// plan is that of one replica; down is the one that another stands in for, -1 for none.
func (f *fleet) plan(ordinal, active, target, down int) shard.Plan {
	p := shard.Plan{Ordinal: ordinal, Active: active, Target: target, Standby: true}
	p.Covers = ordinal < active && down >= 0 && (down+1)%active == ordinal
	p.Covered = ordinal == down
	return p
}

// follow has all replicas follow their plans, and waits until they serve by them.
func (f *fleet) follow(active, target, down int) {
	f.c.t.Helper()
	for ordinal, w := range f.witnesses {
		p := f.plan(ordinal, active, target, down)
		w.Follow(p)
		eventually(f.c.t, "it serves by the plan", func() bool { return w.shows(p) })
		w.reads(p, w.since)
	}
}

// listed is what every list that begins from here shows.
func (f *fleet) listed() history.Moment {
	if f.stale {
		return nil
	}
	return f.c.history.Now()
}

// change changes the fleet in one way or another, while objects change too.
func (f *fleet) change() {
	f.c.t.Helper()
	switch f.c.random.IntN(5) {
	case 0, 1:
		f.reshard(2 + f.c.random.IntN(len(f.witnesses)-1))
	case 2, 3:
		f.cover(f.c.random.IntN(f.total))
	case 4:
		f.reload(f.c.random.IntN(f.total))
	}
}

func (f *fleet) reshard(next int) {
	f.c.t.Helper()
	f.changes["resharded"]++
	listed := f.listed()
	gained := map[*witness]shard.Ranges{}
	for ordinal, w := range f.witnesses {
		held, holds := f.plan(ordinal, f.total, f.total, -1).Shards().All(), f.plan(ordinal, f.total, next, -1).Shards().All()
		if more := holds.Minus(held); len(more) > 0 {
			gained[w] = more
		}
	}
	f.follow(f.total, next, -1)
	f.await("all hold what comes", func() bool {
		return !slices.ContainsFunc(f.witnesses[:max(f.total, next)], func(w *witness) bool {
			return !w.Holds(f.plan(slices.Index(f.witnesses, w), f.total, next, -1)).All
		})
	})
	for w, ranges := range gained { // and listed, but nothing else
		w.since = nil
		if !f.stale {
			w.since = f.c.history.Gained(w.since, listed, ranges.Contains)
		}
	}
	f.total = next
	f.follow(next, next, -1)
}

// await has objects change until something is so.
func (f *fleet) await(what string, ok func() bool) {
	f.c.t.Helper()
	eventually(f.c.t, what, func() bool {
		f.c.live(20, f.serving()...)
		return ok()
	})
}

func (f *fleet) cover(down int) {
	f.c.t.Helper()
	f.changes["covered"]++
	f.follow(f.total, f.total, down)
	f.c.live(200, f.serving()...)
	f.follow(f.total, f.total, -1)
}

// reload replaces a replica as a change of the configuration does: by another one
// that has listed everything.
func (f *fleet) reload(ordinal int) {
	f.c.t.Helper()
	f.changes["reloaded"]++
	before, listed := f.witnesses[ordinal], f.listed()
	next := f.c.witness(1-before.view, nil)
	p := f.plan(ordinal, f.total, f.total, -1)
	next.Follow(p)
	f.await("the new configuration is held", func() bool { return next.Holds(p).All })
	next.since = listed
	next.reads(p, listed)
	f.witnesses[ordinal] = next
	before.stop()
}
