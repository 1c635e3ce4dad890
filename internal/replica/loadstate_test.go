package replica

import (
	"fmt"
	"testing"

	"github.com/statefleet/statefleet/store"
)

// TestSavedSeriesBelongToTheirLastOwner saves series that other objects have claimed since their
// owners were removed, before the removed ones were forgotten.
func TestSavedSeriesBelongToTheirLastOwner(t *testing.T) {
	t.Parallel()
	before, after := newTestSharedSeries(t), newTestSharedSeries(t)
	const pairs = 32
	held := func(id store.ID) bool { return id[1] == 1 }
	for i := range byte(pairs) {
		for generation := range byte(2) {
			before.claim(store.ID{i, generation}, linesOf("", fmt.Sprintf("s{x=\"%d\"} 1\n", i), ""), held)
		}
	}
	var l loadedKind
	if err := l.parseFrame(sharedFrame, before.encode()); err != nil {
		t.Fatal(err)
	}
	after.restore(before.key, l.owned, l.leftOut)
	after.prune(held)
	for i := range byte(pairs) {
		lines := linesOf("", fmt.Sprintf("s{x=\"%d\"} 2\n", i), "")
		if after.claim(store.ID{i, 2}, lines, func(store.ID) bool { return true }); len(lines.Buf) > 0 {
			t.Errorf("series %d is exposed twice", i)
		}
	}
}
