package replica

import (
	"strconv"
	"testing"

	"github.com/statefleet/statefleet/store"
)

// TestSharesFollowWhatIsHeld: whatever comes and goes, the namespace with most objects gives place, with the object that
// came last of those it still holds.
func TestSharesFollowWhatIsHeld(t *testing.T) {
	var s shares
	id := func(n int) store.ID { return store.NewID(strconv.Itoa(n), "", "") }
	for n := range 5 {
		s.add([]byte("a"), id(n))
	}
	s.add([]byte("b"), id(10))
	s.add([]byte("b"), id(10)) // it is held already
	surplus := func(namespace string, want bool) {
		t.Helper()
		if from, ok := s.surplus([]byte(namespace)); ok != want || from != "a" {
			t.Errorf("for an object of %q, %q gives place: %t, want %t", namespace, from, ok, want)
		}
	}
	surplus("b", true)
	surplus("a", false)
	s.remove(id(4))
	s.remove(id(4)) // it has gone already
	s.remove(id(3))
	surplus("b", true)
	if got := s.take("a"); got != id(2) {
		t.Errorf("%v gives place, want the last one that is held, %v", got, id(2))
	}
	surplus("b", false)
	surplus("c", true)
	s.settle(2, func(held store.ID) bool { return held != id(1) }) // one has left without an event
	if n := s.byNamespace["a"].held; n != 1 || len(s.namespaces) != 2 {
		t.Errorf("a holds %d objects and all hold %d, want 1 and 2", n, len(s.namespaces))
	}
	for n := range 1000 {
		s.add([]byte("a"), id(100+n))
		s.remove(id(100 + n))
	}
	if n := len(s.byNamespace["a"].order); n > 4 {
		t.Errorf("%d objects are remembered of a namespace that holds one", n)
	}
}
