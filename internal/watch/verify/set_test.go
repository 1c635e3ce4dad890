package verify

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

func TestLostEventsAreFoundAndTheResourceIsListedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := map[string]string{}
	for _, name := range []string{"kept", "changed", "deleted"} {
		want[name] = put(t, w.cluster, name)
	}
	w.start()
	w.waitHolds("the list", want)
	w.waitResult(equal)
	if n := w.results(repaired); n > 0 {
		t.Fatalf("got %v repairs although nothing differs, want none", n)
	}
	want["kept"] = put(t, w.cluster, "kept") // so that the watch has received an event
	w.waitHolds("an event", want)

	w.interceptWith(silentWatches)
	w.cluster.CloseWatches()
	want["changed"] = put(t, w.cluster, "changed")
	want["created"] = put(t, w.cluster, "created")
	remove(t, w.cluster, "deleted")
	delete(want, "deleted")
	w.waitHolds("the second list", want)
	w.waitResult(repaired)
	if w.differences("missing") == 0 {
		t.Error("missing objects are not counted")
	}
	if n := w.results(versionsReset); n > 0 {
		t.Errorf("got %v resets of versions, want none", n)
	}
	if !w.set.Status().Synced {
		t.Error("the Set does not count as synced any more")
	}
}

func TestRestoredBackupIsNoticed(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]func(t *testing.T, c *simulator.Cluster){
		"by a stored object": func(t *testing.T, c *simulator.Cluster) { put(t, c, "kept") },
		"by a deletion": func(t *testing.T, c *simulator.Cluster) {
			put(t, c, "gone")
			remove(t, c, "gone")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, backup := newWorld(t), simulator.New(simulator.Options{})
			before := map[string]string{"kept": put(t, backup, "kept"), "deleted": put(t, backup, "deleted")}
			held := map[string]string{"kept": put(t, w.cluster, "kept"), "created": put(t, w.cluster, "created")}
			w.interceptWith(refuseComparisons) // until all events are received
			w.start()
			w.waitHolds("the list", held)
			last(t, w.cluster)
			held["created"] = put(t, w.cluster, "created")
			w.waitFor("the last event", func() bool {
				w.mu.Lock()
				defer w.mu.Unlock()
				return w.held["created"] == held["created"]
			})

			refuse := w.restore(backup)
			w.waitHolds("the backup", before)
			w.waitResult(versionsReset)

			refuse.Store(true)
			before["later"] = put(t, backup, "later")
			w.waitHolds("an event", before)
		})
	}
}

func TestSingleStaleAnswerIsIgnored(t *testing.T) {
	t.Parallel()
	w, old := newWorld(t), simulator.New(simulator.Options{})
	held := map[string]string{}
	for _, name := range []string{"a", "b", "c"} {
		held[name] = put(t, w.cluster, name)
	}
	w.start()
	w.waitHolds("the list", held)
	var once atomic.Bool
	w.interceptWith(func(rw http.ResponseWriter, r *http.Request) bool {
		stale := r.URL.Query().Get("limit") != "" && once.CompareAndSwap(false, true)
		if stale {
			old.Handler().ServeHTTP(rw, r)
		}
		return stale
	})
	w.waitResult(skipped)
	if n := w.results(versionsReset) + w.results(repaired); n > 0 || !w.holds(held) {
		t.Errorf("the resource was listed again %v times, want never; holds the objects: %t, want true", n, w.holds(held))
	}
}

func TestFailedComparisonIsCountedAndNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	held := map[string]string{"a": put(t, w.cluster, "a")}
	w.interceptWith(refuseComparisons)
	w.start()
	w.waitHolds("the list", held)
	w.waitResult(failed)
	if n := w.results(versionsReset) + w.results(repaired); n > 0 || !w.holds(held) {
		t.Errorf("the resource was listed again %v times, want never; holds the objects: %t, want true", n, w.holds(held))
	}
}
