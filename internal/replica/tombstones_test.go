package replica

import (
	"fmt"
	"testing"

	"github.com/statefleet/statefleet/store"
)

func TestDeletionsAreRemembered(t *testing.T) {
	id := func(i int) store.ID { return store.NewID("", "a", fmt.Sprint(i)) }
	var g tombstones
	for i := range 10 * tombstonesPerGeneration {
		version := uint64(i + 1)
		g.add(store.Version{ID: id(i), Version: version}, false)
		g.add(store.Version{ID: id(i), Version: 1}, false) // received again from a lagging server
		if back := max(0, i-tombstonesPerGeneration+1); !g.covers(id(back), uint64(back+1)) {
			t.Fatalf("deletion %d is forgotten after deletion %d, want the last %d remembered", back, i, tombstonesPerGeneration)
		}
		if g.covers(id(i), version+1) {
			t.Fatal("a version after the deletion is covered")
		}
		if n := len(g.current) + len(g.previous); n > 2*tombstonesPerGeneration {
			t.Fatalf("%d deletions are remembered, want %d at most", n, 2*tombstonesPerGeneration)
		}
	}
	last := 10*tombstonesPerGeneration - 1
	if g.covers(id(0), 1) {
		t.Error("the first deletion is still remembered")
	}
	if g.covers(id(last), 0) {
		t.Error("an object without a version is covered")
	}
	g.clear()
	if g.covers(id(last), 1) {
		t.Error("a deletion is remembered after clear")
	}
}

// TestOldDeletionDoesNotReplaceNewer adds an older deletion of the same object in the next generation.
func TestOldDeletionDoesNotReplaceNewer(t *testing.T) {
	var g tombstones
	id := store.NewID("", "a", "twice")
	g.add(store.Version{ID: id, Version: 50}, false)
	for i := range tombstonesPerGeneration {
		g.add(store.Version{ID: store.NewID("", "a", fmt.Sprint(i)), Version: 60}, false)
	}
	g.add(store.Version{ID: id, Version: 40}, false)
	if !g.covers(id, 50) {
		t.Error("the newer deletion is forgotten")
	}
	g.add(store.Version{ID: store.NewID("", "b", "without"), Version: 0}, false)
	if g.covers(store.NewID("", "b", "without"), 1) {
		t.Error("a deletion without a version is remembered")
	}
}

// TestKeepAllForgetsNoDeletion also checks that further deletions without keepAll restore the usual
// limit.
func TestKeepAllForgetsNoDeletion(t *testing.T) {
	id := func(i int) store.ID { return store.NewID("", "a", fmt.Sprint(i)) }
	var g tombstones
	for i := range 5 * tombstonesPerGeneration {
		g.add(store.Version{ID: id(i), Version: 1}, true)
	}
	for i := range 5 * tombstonesPerGeneration {
		if !g.covers(id(i), 1) {
			t.Fatalf("deletion %d is forgotten", i)
		}
	}
	for i := range 2 * tombstonesPerGeneration {
		g.add(store.Version{ID: id(5*tombstonesPerGeneration + i), Version: 1}, false)
	}
	if n := len(g.current) + len(g.previous); n > 2*tombstonesPerGeneration {
		t.Errorf("%d deletions are remembered, want %d at most", n, 2*tombstonesPerGeneration)
	}
}

func TestTombstonesOfAnAdditionAreLimited(t *testing.T) {
	t.Parallel()
	var g tombstones
	version := func(i int) store.Version {
		return store.Version{ID: store.ID{byte(i), byte(i >> 8), byte(i >> 16)}, Version: uint64(i + 1)}
	}
	for i := range maxTombstones {
		if !g.add(version(i), true) {
			t.Fatalf("deletion %d is refused, want %d remembered", i+1, maxTombstones)
		}
	}
	if g.add(version(maxTombstones), true) || g.newestVersion() != maxTombstones {
		t.Errorf("more than %d deletions are remembered", maxTombstones)
	}
}
