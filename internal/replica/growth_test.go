package replica

import (
	"math"
	"sync"
	"testing"

	"github.com/statefleet/statefleet/shard"
)

// watcher notes what a replica holds each time that it says that this has changed.
type watcher struct {
	mu    sync.Mutex
	seen  []shard.Held
	share []float64 // of all hashes
	early int       // times that it held everything and served nothing
}

// startWatched starts a replica that follows a plan.
func (w *world) startWatched(p shard.Plan) (*run, *watcher) {
	var r *run
	seen := new(watcher)
	started := make(chan struct{})
	r = w.start(func(o *Options) {
		o.HoldsChanged = func() {
			<-started
			held := r.Holds(p)
			seen.mu.Lock()
			defer seen.mu.Unlock()
			seen.seen = append(seen.seen, held)
			seen.share = append(seen.share, r.Overview().Held.Fraction())
			if held.All && len(p.Shards().Own) > 0 && !p.NextOnly && r.Serves() != nil {
				seen.early++
			}
		}
	})
	close(started)
	r.Follow(p)
	return r, seen
}

func near(a, b float64) bool { return math.Abs(a-b) < 0.001 }

// TestReplicaThatStartsWhileTheFleetGrowsHoldsItsNextPartFirst: 3 to 6. It says that it holds its sixth before it holds its
// third, which may be more than it has memory for.
func TestReplicaThatStartsWhileTheFleetGrowsHoldsItsNextPartFirst(t *testing.T) {
	r, seen := plannedWorld(t).startWatched(plan(0, 3, 6))
	r.waitHolds(plan(0, 3, 6))
	r.waitReady()
	r.serves(0, 3)
	seen.mu.Lock()
	defer seen.mu.Unlock()
	if len(seen.seen) < 2 || seen.seen[0] != (shard.Held{Next: true}) || !near(seen.share[0], 1./6) && !near(seen.share[0], 1./3) {
		t.Fatalf("it said %+v with %v of all hashes", seen.seen, seen.share)
	}
	if last := len(seen.seen) - 1; seen.seen[last] != (shard.Held{Next: true, All: true}) || !near(seen.share[last], 1./3) {
		t.Errorf("it said %+v with %v of all hashes", seen.seen, seen.share)
	}
}

// TestReplicaWithoutMemoryForMoreHoldsItsNextPartOnly: it answers 503 until the fleet has grown, and serves then.
func TestReplicaWithoutMemoryForMoreHoldsItsNextPartOnly(t *testing.T) {
	limited := plan(0, 3, 6)
	limited.NextOnly = true
	r, seen := plannedWorld(t).startWatched(limited)
	r.waitHolds(limited)
	if r.Serves() == nil || r.Ready() == nil {
		t.Error("it serves a sixth as if it were its third")
	}
	if share := r.Overview().Held.Fraction(); !near(share, 1./6) {
		t.Errorf("it holds %.3f of all hashes", share)
	}
	r.Follow(plan(0, 6, 6))
	r.waitReady()
	r.serves(0, 6)
	seen.mu.Lock()
	for _, share := range seen.share {
		if share > 0.2 {
			t.Errorf("it held %.3f of all hashes", share)
		}
	}
	seen.mu.Unlock()
}

// TestReplicaThatHoldsItsNextPartOnlyIsNotReadyThoughAnotherServes: its pod would become ready, and the replica that stands
// by for it would no longer serve.
func TestReplicaThatHoldsItsNextPartOnlyIsNotReadyThoughAnotherServes(t *testing.T) {
	limited := plan(0, 3, 6)
	limited.NextOnly, limited.Standby, limited.ServedByStandby = true, true, true
	r := plannedWorld(t).start(nil)
	r.Follow(limited)
	r.waitHolds(limited)
	if r.Ready() == nil {
		t.Error("it is ready without its third")
	}
	limited.NextOnly = false
	r.Follow(limited)
	r.waitReady()
	if r.Serves() == nil {
		t.Error("it serves what another serves")
	}
}

// TestReplicaThatHoldsItsPartDropsNothingWhenTheFleetGrowsAgain: it is new, the fleet switches to include it, and the next
// change begins before it has served.
func TestReplicaThatHoldsItsPartDropsNothingWhenTheFleetGrowsAgain(t *testing.T) {
	r := plannedWorld(t).start(nil)
	r.Follow(plan(2, 2, 3))
	r.waitHolds(plan(2, 2, 3))
	rendered := r.rendered()
	r.Follow(plan(2, 3, 5))
	r.waitHolds(plan(2, 3, 5))
	r.waitReady()
	r.serves(2, 3)
	if again := r.rendered(); again != rendered {
		t.Errorf("%v objects were rendered again", again-rendered)
	}
}

// TestHeldIsSaidWhenThePageIsServed: who hears that everything is held may exchange one replica for another.
func TestHeldIsSaidWhenThePageIsServed(t *testing.T) {
	w := plannedWorld(t)
	for range 5 {
		p := shard.Uncoordinated(shard.Assignment{Total: 1})
		r, seen := w.startWatched(p)
		r.waitHolds(p)
		eventually(t, "it was said", func() bool { seen.mu.Lock(); defer seen.mu.Unlock(); return len(seen.seen) > 0 })
		seen.mu.Lock()
		if seen.early > 0 {
			t.Errorf("nothing was served although everything was held")
		}
		seen.mu.Unlock()
		r.stop()
	}
}
