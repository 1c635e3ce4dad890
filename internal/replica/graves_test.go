package replica

import (
	"fmt"
	"testing"

	"github.com/statefleet/statefleet/store"
)

func TestDeletionsAreRemembered(t *testing.T) {
	id := func(i int) store.ID { return store.NewID("", "a", fmt.Sprint(i)) }
	var g graves
	for i := range 10 * generation {
		version := uint64(i + 1)
		g.bury(id(i), version, false)
		g.bury(id(i), 1, false) // heard of again, from a server that is behind
		if back := max(0, i-generation+1); !g.buried(id(back), uint64(back+1)) {
			t.Fatalf("deletion %d is forgotten after %d", back, i)
		}
		if g.buried(id(i), version+1) {
			t.Fatal("a version after the deletion is taken for one before it")
		}
		if n := len(g.young) + len(g.old); n > 2*generation {
			t.Fatalf("%d deletions are remembered", n)
		}
	}
	last := 10*generation - 1
	if g.buried(id(0), 1) {
		t.Error("the first deletion is remembered")
	}
	if g.buried(id(last), 0) {
		t.Error("what has no version is taken for older than a deletion")
	}
	g.clear()
	if g.buried(id(last), 1) {
		t.Error("a deletion is remembered after all were forgotten")
	}
}

// An object that is deleted again in the next generation keeps the newer version.
func TestOldDeletionDoesNotReplaceNewer(t *testing.T) {
	var g graves
	id := store.NewID("", "a", "twice")
	g.bury(id, 50, false)
	for i := range generation {
		g.bury(store.NewID("", "a", fmt.Sprint(i)), 60, false)
	}
	g.bury(id, 40, false)
	if !g.buried(id, 50) {
		t.Error("the newer deletion is forgotten")
	}
	g.bury(store.NewID("", "b", "without"), 0, false)
	if g.buried(store.NewID("", "b", "without"), 1) {
		t.Error("a deletion without a version is remembered")
	}
}

// While what is gained is listed all are remembered, and no more than usual soon after.
func TestAllDeletionsAreKeptForAWhile(t *testing.T) {
	id := func(i int) store.ID { return store.NewID("", "a", fmt.Sprint(i)) }
	var g graves
	for i := range 5 * generation {
		g.bury(id(i), 1, true)
	}
	for i := range 5 * generation {
		if !g.buried(id(i), 1) {
			t.Fatalf("deletion %d is forgotten", i)
		}
	}
	for i := range 2 * generation {
		g.bury(id(5*generation+i), 1, false)
	}
	if n := len(g.young) + len(g.old); n > 2*generation {
		t.Errorf("%d deletions are remembered", n)
	}
}
