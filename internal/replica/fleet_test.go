package replica

import (
	"slices"

	"github.com/statefleet/statefleet/internal/testing/history"
	"github.com/statefleet/statefleet/shard"
)

// fleet are the replicas of a chronicle, which move in step.
type fleet struct {
	c         *chronicle
	witnesses []*witness
	total     int
	stale     bool // lists may be older than when they were asked for
	changes   map[string]int
	next      []string       // the changes that are to come
	moved     map[string]int // objects that another replica showed during or after a change, by the change
}

func (c *chronicle) fleet(total int) *fleet {
	c.t.Helper()
	f := &fleet{c: c, total: total, changes: map[string]int{}, moved: map[string]int{}}
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
	p.ServesNeighbour = ordinal < active && down >= 0 && (down+1)%active == ordinal
	p.ServedByStandby = ordinal == down
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
func (f *fleet) listed() history.Position {
	if f.stale {
		return nil
	}
	return f.c.history.Now()
}

// change changes the fleet in one way or another, while objects change too. Of five changes each is there.
func (f *fleet) change() {
	f.c.t.Helper()
	if len(f.next) == 0 {
		f.next = []string{"reshard", "reshard", "cover", "cover", "reload"}
		f.c.random.Shuffle(len(f.next), func(i, j int) { f.next[i], f.next[j] = f.next[j], f.next[i] })
	}
	what := f.next[0]
	f.next = f.next[1:]
	switch what {
	case "reshard":
		f.reshard(2 + (f.total-2+1+f.c.random.IntN(len(f.witnesses)-2))%(len(f.witnesses)-1)) // another number, 2 at least
	case "cover":
		f.cover(f.c.random.IntN(f.total))
	case "reload":
		f.reload(f.c.random.IntN(f.total))
	}
}

// count notes which objects another replica shows than before.
func (f *fleet) count(change string, before map[history.Key]int) {
	for key, ordinal := range f.shown() {
		if was, there := before[key]; there && was != ordinal {
			f.moved[change]++
		}
	}
}

// shown says which replica shows each object, the last one if there are two.
func (f *fleet) shown() map[history.Key]int {
	all := map[history.Key]int{}
	for ordinal, w := range f.serving() {
		for key := range w.page() {
			all[key] = ordinal
		}
	}
	return all
}

// tried fails unless the fleet has been through all changes, and they had objects move.
func (f *fleet) tried() {
	f.c.t.Helper()
	for _, what := range []string{"resharded", "covered", "reloaded"} {
		if f.changes[what] == 0 {
			f.c.t.Errorf("the fleet was never %s: %v", what, f.changes)
		}
	}
	for _, what := range []string{"resharded", "covered"} {
		if f.moved[what] == 0 {
			f.c.t.Errorf("no object has changed its replica when the fleet was %s: %v", what, f.moved)
		}
	}
	f.c.t.Logf("%v; objects that moved: %v", f.changes, f.moved)
}

func (f *fleet) reshard(next int) {
	f.c.t.Helper()
	f.changes["resharded"]++
	before := f.shown()
	listed := f.listed()
	gained := map[*witness]shard.Ranges{}
	for ordinal, w := range f.witnesses {
		held, holds := f.plan(ordinal, f.total, f.total, -1).Shards().All(), f.plan(ordinal, f.total, next, -1).Shards().All()
		if more := holds.Difference(held); len(more) > 0 {
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
	f.count("resharded", before)
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
	before := f.shown()
	f.follow(f.total, f.total, down)
	f.count("covered", before)
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
