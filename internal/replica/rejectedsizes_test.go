package replica

import (
	"testing"

	"github.com/statefleet/statefleet/store"
)

// TestLimitIsReachedWhileOthersAreLeftOut: what becomes of the object that was left out
// last says nothing of the others, and what becomes of those of one Reflector nothing of
// those of another.
func TestLimitIsReachedWhileOthersAreLeftOut(t *testing.T) {
	small, large := store.NewID("", "a", "small"), store.NewID("", "a", "large")
	all := limits{bytes: 1000}
	held := func(bytes int64) store.Stats { return store.Stats{HeldTextBytes: bytes} }
	var r *rejectedSizes
	f := func(what string, bytes int64, want bool, steps ...func()) {
		t.Helper()
		r = new(rejectedSizes)
		for _, step := range steps {
			step()
		}
		if got := all.reached(held(bytes), r); got != want {
			t.Errorf("%s, %d of 1000 bytes held: reached is %t", what, bytes, got)
		}
	}
	note := func(id store.ID, bytes int64) func() { return func() { r.note(0, id, bytes) } }
	forget := func(id store.ID) func() { return func() { r.forget(0, id) } }
	list := func() { r.listed(0) }

	f("nothing is left out", 999, false)
	f("nothing is left out, and nothing fits", 1000, true)
	f("one object", 900, true, note(small, 101))
	f("one object that fits by now", 899, false, note(small, 101))
	f("one object that is gone", 900, false, note(small, 101), forget(small))
	f("one object that has shrunk", 900, false, note(small, 300), note(small, 100))
	f("one object that has grown", 800, true, note(small, 101), note(small, 300))
	f("the last one is gone", 900, true, note(large, 300), note(small, 101), forget(small))
	f("the first one is gone", 900, true, note(small, 101), note(large, 300), forget(small))
	f("another one is gone", 900, true, note(small, 101), note(large, 300), forget(large))
	f("the smallest fits", 800, false, note(small, 101), note(large, 300))
	f("a list without any", 900, false, list, note(small, 101), note(large, 300), list, list)
	f("a list with the large one only", 800, true, note(small, 101), list, note(large, 300), list)
	f("left out before the list", 900, true, note(small, 101), list)
	f("gone after the list", 900, false, note(small, 101), list, forget(small))
	f("a list of another Source", 900, true, note(small, 101), func() { r.listed(1); r.listed(1) })
	f("another Source has one that fits", 800, true, note(large, 300), func() { r.note(1, small, 101) })
}
