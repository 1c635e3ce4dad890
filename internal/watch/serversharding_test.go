package watch

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/watch/sharding"
	"github.com/statefleet/statefleet/shard"
)

const mismatches = "statefleet_server_sharding_mismatches_total"

// requests records the requests to a server.
type requests struct {
	mu  sync.Mutex
	all []*http.Request
}

func (r *requests) record(request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, request)
}

// count returns how many requests have a parameter with a wanted value.
func (r *requests) count(parameter string, wanted func(value string) bool) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, request := range r.all {
		if wanted(request.URL.Query().Get(parameter)) {
			n++
		}
	}
	return n
}

func empty(value string) bool { return value == "" }

func notEmpty(value string) bool { return value != "" }

// answerWith answers all requests with a handler, and records them.
func (w *world) answerWith(handler http.Handler) *requests {
	recorded := &requests{}
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		recorded.record(r)
		handler.ServeHTTP(rw, r)
		return true
	})
	return recorded
}

// mismatched reports whether a Reflector's process has found a mismatch.
func mismatched(r *Reflector) bool {
	select {
	case <-r.Sharding.Mismatch():
		return true
	default:
		return false
	}
}

func TestServerWithAnotherHashLosesNoObjects(t *testing.T) {
	t.Parallel()
	for _, noWatchList := range []bool{false, true} {
		t.Run(fmt.Sprintf("streamed lists %v", !noWatchList), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{ShardSelector: true, NoWatchList: noWatchList})
			mine := oneOfThree(t)
			w.pods(0, 600, "n0", mine)
			recorded := w.answerWith(w.cluster.HandlerWithOtherHash())
			reflector, rec := w.start(setup{ranges: mine, selector: true})
			w.converge(rec, "the list")
			if n := w.value(mismatches, nil); n != 1 || !mismatched(reflector) {
				t.Errorf("%s is %v and mismatched is %v, want 1 and true", mismatches, n, mismatched(reflector))
			}
			before := recorded.count("shardSelector", notEmpty)
			w.cluster.Compact()
			w.cluster.CloseWatches()
			w.pods(0, 600, "n1", mine)
			w.converge(rec, "events")
			if _, err := reflector.ListMetadata(t.Context(), func(Object) {}); err != nil {
				t.Error(err)
			}
			if after := recorded.count("shardSelector", notEmpty); before == 0 || after != before {
				t.Errorf("got %d requests with a selector until the mismatch was found, and %d at the end, want some and no more", before, after)
			}
			if n := w.value(mismatches, nil); n != 1 {
				t.Errorf("%s is %v at the end, want 1", mismatches, n)
			}
		})
	}
}

func TestServerThatChangesItsHashLosesNoObjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{ShardSelector: true})
	mine := oneOfThree(t)
	w.pods(0, 600, "n0", mine)
	reflector, rec := w.start(setup{ranges: mine, selector: true})
	w.converge(rec, "the list")
	if mismatched(reflector) {
		t.Fatal("a mismatch is reported for a correct server")
	}
	w.answerWith(w.cluster.HandlerWithOtherHash())
	w.cluster.CloseWatches()
	w.pods(0, 700, "n1", mine)
	w.converge(rec, "events of the other server")
	if !mismatched(reflector) {
		t.Error("the mismatch was not found")
	}
}

// TestMismatchStopsSelectorsOfAllReflectors covers Reflectors that share a sharding.Server.
func TestMismatchStopsSelectorsOfAllReflectors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{ShardSelector: true})
	w.pods(0, 600, "n0", oneOfThree(t))
	recorded := w.answerWith(w.cluster.HandlerWithOtherHash())
	first, rec := w.start(setup{ranges: oneOfThree(t), selector: true})
	w.converge(rec, "the first list")
	before := recorded.count("shardSelector", notEmpty)
	w.registry = prometheus.NewPedanticRegistry()
	second, rec := w.reflector(setup{ranges: oneOfThree(t), selector: true})
	second.Sharding = first.Sharding
	w.run(second)
	w.converge(rec, "the second list")
	if after := recorded.count("shardSelector", notEmpty); after != before {
		t.Errorf("got %d requests with a selector after the mismatch was found, want none", after-before)
	}
}

// filterByPart makes the API server apply part in place of the selector that it was sent.
func (w *world) filterByPart(part shard.Ranges) {
	handler := w.cluster.Handler()
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		query := r.URL.Query()
		if query.Get("shardSelector") == "" {
			return false
		}
		query.Set("shardSelector", part.Selector())
		r = r.Clone(r.Context())
		r.URL.RawQuery = query.Encode()
		handler.ServeHTTP(rw, r)
		return true
	})
}

// firstHalf returns the first half of the first range.
func firstHalf(r shard.Ranges) shard.Ranges {
	return shard.Ranges{{Start: r[0].Start, End: r[0].Start + (r[0].End-r[0].Start)/2}}
}

// compareUntilError lists metadata until there is an error, 100 times at most. One call of three also lists everything.
func compareUntilError(t *testing.T, r *Reflector) error {
	t.Helper()
	for range 100 {
		if _, err := r.ListMetadata(t.Context(), func(Object) {}); err != nil {
			return err
		}
	}
	return nil
}

// TestListMetadataFindsLeftOutObjects covers a server that sends only objects that match the selector, but not all.
func TestListMetadataFindsLeftOutObjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{ShardSelector: true})
	mine := oneOfThree(t)
	part := firstHalf(mine)
	w.pods(0, 600, "n0", mine)
	w.filterByPart(part)
	reflector, rec := w.start(setup{ranges: mine, selector: true})
	eventually(t, "synced", func() bool { return reflector.Status().Phase == Synced })
	if n := len(rec.snapshot()); n == 0 || n == len(w.want) {
		t.Fatalf("the server has left out %d of %d objects, want some but not all", len(w.want)-n, len(w.want))
	}
	err := compareUntilError(t, reflector)
	if !errors.Is(err, sharding.ErrMismatch) || !mismatched(reflector) {
		t.Errorf("ListMetadata returned %v, want %v", err, sharding.ErrMismatch)
	}
}

// TestListMetadataFindsTheNewestObject covers the object whose version is that of the list.
func TestListMetadataFindsTheNewestObject(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{ShardSelector: true})
	mine := oneOfThree(t)
	part := firstHalf(mine)
	leftOut := 0
	for i := 1; i < 600 || leftOut == 0; i++ {
		switch hash := shard.Hash(string(uid(i))); {
		case part.Contains(hash):
			w.pod(i, "n0")
		case mine.Contains(hash):
			leftOut = i
		}
	}
	w.pod(leftOut, "n0")
	w.filterByPart(part)
	reflector, _ := w.start(setup{ranges: mine, selector: true})
	eventually(t, "synced", func() bool { return reflector.Status().Phase == Synced })
	err := compareUntilError(t, reflector)
	if !errors.Is(err, sharding.ErrMismatch) || !strings.Contains(err.Error(), "left out 1 objects") {
		t.Errorf("got error %v, want a mismatch that names 1 object", err)
	}
}

// TestShareOfCallsThatListEverythingIsThatOfTheSelector covers a selector for a third of all objects.
func TestShareOfCallsThatListEverythingIsThatOfTheSelector(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{ShardSelector: true})
	mine := oneOfThree(t)
	w.pods(0, 10, "n0", mine)
	reflector, rec := w.start(setup{ranges: mine, selector: true})
	w.converge(rec, "the list")
	recorded := &requests{}
	w.intercept(func(_ http.ResponseWriter, r *http.Request) bool { recorded.record(r); return false })
	const calls = 200
	for range calls {
		if _, err := reflector.ListMetadata(t.Context(), func(Object) {}); err != nil {
			t.Fatal(err)
		}
	}
	// The mean is 67, with a standard deviation of 7.
	if n := recorded.count("shardSelector", empty); n < 32 || n > 102 {
		t.Errorf("%d of %d calls have listed everything, want 32 to 102", n, calls)
	}
}

func TestListMetadataAcceptsACorrectServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{ShardSelector: true})
	mine := oneOfThree(t)
	w.pods(0, 100, "n0", mine)
	recorded := &requests{}
	w.intercept(func(_ http.ResponseWriter, r *http.Request) bool { recorded.record(r); return false })
	reflector, rec := w.start(setup{ranges: mine, selector: true})
	w.converge(rec, "the list")
	verified := make(chan error, 1)
	go func() {
		var err error
		for n := 0; n < 60 && err == nil; n++ {
			_, err = reflector.ListMetadata(t.Context(), func(Object) {})
		}
		verified <- err
	}()
	for i := 0; len(verified) == 0; i++ { // pods are created, changed and deleted
		w.pod(100+i%300, fmt.Sprint("n", i))
		if gone := 100 + (i+150)%300; i >= 150 {
			w.removePod(gone)
			w.pod(gone, "again")
		}
	}
	if err := <-verified; err != nil {
		t.Fatal(err)
	}
	if mismatched(reflector) {
		t.Error("a mismatch is reported for a correct server")
	}
	unfiltered := recorded.count("shardSelector", empty)
	if unfiltered == 0 {
		t.Error("no call has listed everything")
	}
}

// TestFilterIsVerifiedOncePerProcess covers servers that ignore the selector, as most do. Otherwise
// each kind would verify the filter at each watch.
func TestFilterIsVerifiedOncePerProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.pods(0, 300, "n0", oneOfThree(t))
	recorded := &requests{}
	w.intercept(func(_ http.ResponseWriter, r *http.Request) bool { recorded.record(r); return false })
	reflector, rec := w.start(setup{ranges: oneOfThree(t), selector: true})
	w.converge(rec, "the list")
	for round := range 3 {
		w.cluster.CloseWatches()
		w.pods(0, 300, fmt.Sprint("n", round+1), oneOfThree(t))
		w.converge(rec, "events")
		if _, err := reflector.ListMetadata(t.Context(), func(Object) {}); err != nil {
			t.Error(err)
		}
	}
	if n := recorded.count("limit", func(value string) bool { return value == fmt.Sprint(verifyPage) }); n != 1 {
		t.Errorf("got %d requests to verify the filter, want 1", n)
	}
	if mismatched(reflector) || w.value(mismatches, nil) != 0 {
		t.Error("a mismatch is reported for a server that ignores the selector")
	}
}

// TestTooLongSelectorIsShortened covers a proxy in front of the API server that allows short
// request lines only, or none with a selector.
func TestTooLongSelectorIsShortened(t *testing.T) {
	t.Parallel()
	table, err := shard.NewTable(100)
	if err != nil {
		t.Fatal(err)
	}
	mine := table.Ranges(99)
	for _, longest := range []int{3000, 0} {
		for _, code := range []int{http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge} {
			t.Run(fmt.Sprintf("%d beyond %d bytes", code, longest), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, simulator.Options{ShardSelector: true})
				w.pods(0, 600, "n0", mine)
				passed := &requests{}
				w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
					if selector := r.URL.Query().Get("shardSelector"); selector != "" && len(selector) > longest {
						http.Error(rw, "<html>too long", code)
						return true
					}
					passed.record(r)
					return false
				})
				reflector, rec := w.start(setup{ranges: mine, selector: true})
				w.converge(rec, "the list")
				w.pods(0, 600, "n1", mine)
				w.converge(rec, "events")
				ignored := w.value("statefleet_watch_objects_total", map[string]string{"shard": "ignored"})
				if all := float64(2 * (600 - len(w.want))); (ignored > all/2) != (longest == 0) {
					t.Errorf("received %v of %v objects of other shards, want more than half only without a selector", ignored, all)
				}
				if sent := passed.count("shardSelector", notEmpty); (sent > 0) != (longest > 0) || mismatched(reflector) {
					t.Errorf("the proxy has passed %d requests with a selector and mismatched is %v, want some only if it allows them, and false", sent, mismatched(reflector))
				}
			})
		}
	}
}
