package replica

import (
	"fmt"
	"testing"

	"github.com/statefleet/statefleet/store"
)

func TestDeletionsAreRemembered(t *testing.T) {
	id := func(i int) store.ID { return store.NewID("", "a", fmt.Sprint(i)) }
	var ts tombstones
	for i := range 10 * tombstonesPerGeneration {
		version := uint64(i + 1)
		ts.add(store.Version{ID: id(i), Version: version})
		ts.add(store.Version{ID: id(i), Version: 1}) // received again from a lagging server
		if back := max(0, i-tombstonesPerGeneration+1); !ts.covers(id(back), uint64(back+1)) {
			t.Fatalf("deletion %d is forgotten after deletion %d, want the last %d remembered", back, i, tombstonesPerGeneration)
		}
		if ts.covers(id(i), version+1) {
			t.Fatal("a version after the deletion is covered")
		}
		if n := len(ts.current) + len(ts.previous); n > 2*tombstonesPerGeneration {
			t.Fatalf("%d deletions are remembered, want %d at most", n, 2*tombstonesPerGeneration)
		}
	}
	last := 10*tombstonesPerGeneration - 1
	if ts.covers(id(0), 1) {
		t.Error("the first deletion is still remembered")
	}
	if ts.covers(id(last), 0) {
		t.Error("an object without a version is covered")
	}
	ts.clear()
	if ts.covers(id(last), 1) {
		t.Error("a deletion is remembered after clear")
	}
}

// TestOldDeletionDoesNotReplaceNewer adds an older deletion of the same object in the next generation.
func TestOldDeletionDoesNotReplaceNewer(t *testing.T) {
	var ts tombstones
	id := store.NewID("", "a", "twice")
	ts.add(store.Version{ID: id, Version: 50})
	for i := range tombstonesPerGeneration {
		ts.add(store.Version{ID: store.NewID("", "a", fmt.Sprint(i)), Version: 60})
	}
	ts.add(store.Version{ID: id, Version: 40})
	if !ts.covers(id, 50) {
		t.Error("the newer deletion is forgotten")
	}
	ts.add(store.Version{ID: store.NewID("", "b", "without"), Version: 0})
	if ts.covers(store.NewID("", "b", "without"), 1) {
		t.Error("a deletion without a version is remembered")
	}
}

// TestKeepAllForgetsNoDeletion also checks that further deletions restore the usual limit.
func TestKeepAllForgetsNoDeletion(t *testing.T) {
	id := func(i int) store.ID { return store.NewID("", "a", fmt.Sprint(i)) }
	var ts tombstones
	keptAll := ts.keepAll()
	for i := range 5 * tombstonesPerGeneration {
		ts.add(store.Version{ID: id(i), Version: 1})
	}
	for i := range 5 * tombstonesPerGeneration {
		if !ts.covers(id(i), 1) {
			t.Fatalf("deletion %d is forgotten", i)
		}
	}
	if !keptAll() {
		t.Error("keptAll returned false below the limit")
	}
	for i := range 2 * tombstonesPerGeneration {
		ts.add(store.Version{ID: id(5*tombstonesPerGeneration + i), Version: 1})
	}
	if n := len(ts.current) + len(ts.previous); n > 2*tombstonesPerGeneration {
		t.Errorf("%d deletions are remembered, want %d at most", n, 2*tombstonesPerGeneration)
	}
}

// TestKeptTombstonesAreLimited also covers a second user, who begins after the limit was reached.
func TestKeptTombstonesAreLimited(t *testing.T) {
	t.Parallel()
	var ts tombstones
	version := func(i int) store.Version {
		return store.Version{ID: store.ID{byte(i), byte(i >> 8), byte(i >> 16)}, Version: uint64(i + 1)}
	}
	first, below := ts.keepAll(), ts.keepAll()
	for i := range maxTombstones {
		ts.add(version(i))
	}
	if !below() {
		t.Errorf("keptAll returned false after %d deletions", maxTombstones)
	}
	for i := range 2 * maxTombstones {
		ts.add(version(maxTombstones + i))
	}
	second := ts.keepAll()
	if first() || !second() {
		t.Errorf("keptAll returned true for %d deletions, or false for none", 3*maxTombstones)
	}
	if n := len(ts.current) + len(ts.previous); n > 2*maxTombstones || ts.newestVersion() != 3*maxTombstones {
		t.Errorf("%d deletions up to version %d are remembered, want %d at most, up to %d", n, ts.newestVersion(), 2*maxTombstones, 3*maxTombstones)
	}
	for i := range 2 * tombstonesPerGeneration {
		ts.add(version(3*maxTombstones + i))
	}
	if n := len(ts.current) + len(ts.previous); n > 2*tombstonesPerGeneration {
		t.Errorf("%d deletions are remembered after the last keepAll, want %d at most", n, 2*tombstonesPerGeneration)
	}
}
