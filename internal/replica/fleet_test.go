package replica

import (
	"slices"
	"strconv"

	"github.com/statefleet/statefleet/internal/testing/history"
	"github.com/statefleet/statefleet/shard"
)

// fleet is a fleet of audited replicas. Its topology changes for all replicas at once.
type fleet struct {
	c        *recordedCluster
	replicas []*auditedReplica
	total    int
	stale    bool // lists may be older than their request
	changes  map[string]int
	next     []string       // changes to come
	resumed  int            // restarts that resumed from a saved state
	moved    map[string]int // by change: objects that were served by another replica afterwards
}

// startFleet starts a fleet, and one more replica to grow by.
func (c *recordedCluster) startFleet(total int) *fleet {
	c.t.Helper()
	f := &fleet{c: c, total: total, changes: map[string]int{}, moved: map[string]int{}}
	for range total + 1 {
		f.replicas = append(f.replicas, c.startAudited(0, nil))
	}
	f.follow(total, total, -1)
	for _, w := range f.serving() {
		w.waitReady()
	}
	return f
}

// serving returns the replicas that have a shard.
func (f *fleet) serving() []*auditedReplica { return f.replicas[:f.total] }

// plan returns the plan of one replica. down is the ordinal whose shard its standby serves, or -1.
func (f *fleet) plan(ordinal, active, target, down int) shard.Plan {
	p := shard.Plan{Ordinal: ordinal, Active: active, Target: target, Standby: true}
	p.ServesNeighbour = ordinal < active && down >= 0 && (down+1)%active == ordinal
	p.ServedByStandby = ordinal == down
	return p
}

// follow gives all replicas their plans, and waits until they serve by them.
func (f *fleet) follow(active, target, down int) {
	f.c.t.Helper()
	for ordinal, w := range f.replicas {
		p := f.plan(ordinal, active, target, down)
		w.Follow(p)
		eventually(f.c.t, "the replica serves by its plan", func() bool { return w.servesPlan(p) })
		w.expect(p, w.since)
	}
}

// listed returns the position that every list from now on includes.
func (f *fleet) listed() history.Position {
	if f.stale {
		return nil
	}
	return f.c.history.Now()
}

// change makes one change of the fleet, while objects change. Every six changes include each type of change.
func (f *fleet) change() {
	f.c.t.Helper()
	if len(f.next) == 0 {
		f.next = []string{"reshard", "reshard", "standby", "standby", "reload", "restart"}
		f.c.random.Shuffle(len(f.next), func(i, j int) { f.next[i], f.next[j] = f.next[j], f.next[i] })
	}
	what := f.next[0]
	f.next = f.next[1:]
	switch what {
	case "reshard":
		f.reshard(2 + (f.total-2+1+f.c.random.IntN(len(f.replicas)-2))%(len(f.replicas)-1)) // another number, at least 2
	case "standby":
		f.useStandby(f.c.random.IntN(f.total))
	case "reload":
		f.reload(f.c.random.IntN(f.total))
	case "restart":
		f.restart(f.c.random.IntN(f.total), f.c.random.IntN(2) == 0)
	}
}

// count counts the objects that are served by another replica than before.
func (f *fleet) count(change string, before map[history.Key]int) {
	for key, ordinal := range f.servedBy() {
		if was, there := before[key]; there && was != ordinal {
			f.moved[change]++
		}
	}
}

// servedBy returns the replica that serves each object, or the last one of several.
func (f *fleet) servedBy() map[history.Key]int {
	all := map[history.Key]int{}
	for ordinal, w := range f.serving() {
		for key := range w.exposition() {
			all[key] = ordinal
		}
	}
	return all
}

// requireCoverage fails the test unless each type of change was made, and objects have moved.
func (f *fleet) requireCoverage() {
	f.c.t.Helper()
	for _, what := range []string{"reshard", "standby", "reload", "restart"} {
		if f.changes[what] == 0 {
			f.c.t.Errorf("got changes %v, want some of type %s", f.changes, what)
		}
	}
	for _, what := range []string{"reshard", "standby"} {
		if f.moved[what] == 0 {
			f.c.t.Errorf("got moved objects %v, want some of type %s", f.moved, what)
		}
	}
	if f.resumed == 0 {
		f.c.t.Errorf("no replica has resumed from a saved state: %v", f.changes)
	}
	f.c.t.Logf("%v; objects that moved: %v; restarts with a saved state: %d", f.changes, f.moved, f.resumed)
}

// reshard changes the number of replicas.
func (f *fleet) reshard(next int) {
	f.c.t.Helper()
	f.changes["reshard"]++
	before := f.servedBy()
	listed := f.listed()
	added := map[*auditedReplica]shard.Ranges{}
	for ordinal, w := range f.replicas {
		held, holds := f.plan(ordinal, f.total, f.total, -1).Shards().All(), f.plan(ordinal, f.total, next, -1).Shards().All()
		if more := holds.Difference(held); len(more) > 0 {
			added[w] = more
		}
	}
	f.follow(f.total, next, -1)
	f.await("all replicas hold the target table", func() bool {
		return !slices.ContainsFunc(f.replicas[:max(f.total, next)], func(w *auditedReplica) bool {
			return !w.Holds(f.plan(slices.Index(f.replicas, w), f.total, next, -1)).All
		})
	})
	for w, ranges := range added { // these are the only ranges that were listed
		w.since = nil
		if !f.stale {
			w.since = f.c.history.Gained(w.since, listed, ranges.Contains)
		}
	}
	f.total = next
	f.follow(next, next, -1)
	f.count("reshard", before)
}

// await changes objects until ok returns true.
func (f *fleet) await(what string, ok func() bool) {
	f.c.t.Helper()
	eventually(f.c.t, what, func() bool {
		f.c.churn(20, f.serving()...)
		return ok()
	})
}

// useStandby makes the standby of a replica serve its shard for a while.
func (f *fleet) useStandby(down int) {
	f.c.t.Helper()
	f.changes["standby"]++
	before := f.servedBy()
	f.follow(f.total, f.total, down)
	f.count("standby", before)
	f.c.churn(200, f.serving()...)
	f.follow(f.total, f.total, -1)
}

// reload replaces a replica by one with the other view, as a change of the configuration does.
func (f *fleet) reload(ordinal int) {
	f.c.t.Helper()
	f.changes["reload"]++
	before, listed := f.replicas[ordinal], f.listed()
	next := f.c.startAudited(1-before.view, nil)
	p := f.plan(ordinal, f.total, f.total, -1)
	next.Follow(p)
	f.await("the new replica holds its plan", func() bool { return next.Holds(p).All })
	next.since = listed
	next.expect(p, listed)
	f.replicas[ordinal] = next
	before.stop()
}

// restart ends a replica, and starts another one with its state while objects change. With kill, the
// state was saved some changes before the end.
func (f *fleet) restart(ordinal int, kill bool) {
	f.c.t.Helper()
	f.changes["restart"]++
	before, d := f.replicas[ordinal], newStateDir(f.c.t)
	d.fingerprint = strconv.Itoa(before.view)
	saved := false
	if kill {
		f.await("the state is saved", func() bool { saved = d.save(before.run); return saved })
		f.c.churn(50, f.serving()...)
	}
	before.stop()
	before.reader = nil // its exposition does not change any more
	if !kill {
		saved = d.save(before.run)
	}
	f.c.churn(f.c.random.IntN(100), f.serving()...)
	listed := f.listed()
	next := f.c.startAudited(before.view, d.use)
	p := f.plan(ordinal, f.total, f.total, -1)
	next.Follow(p)
	f.await("the next process holds the plan", func() bool { return next.Holds(p).All })
	next.since = listed
	next.expect(p, listed)
	f.replicas[ordinal] = next
	if saved && d.loaded() {
		f.resumed++
	}
}

// restartUntilResumed restarts replicas until one resumes from a saved state. A few changes alone do
// not guarantee that: a replica saves nothing while one of its kinds is listed.
func (f *fleet) restartUntilResumed() {
	for n := 0; f.resumed == 0 && n < 20; n++ {
		f.restart(f.c.random.IntN(f.total), n%2 == 0)
	}
}
