package watch

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/watch/sharding"
	"github.com/statefleet/statefleet/shard"
)

const mismatches = "statefleet_server_sharding_mismatches_total"

// requests are those that a server was sent.
type requests struct {
	mu  sync.Mutex
	all []*http.Request
}

func (r *requests) note(request *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, request)
}

// count returns how many have a value of a parameter that is wanted.
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

func some(value string) bool { return value != "" }

// through has all requests answered by a handler.
func (w *world) through(handler http.Handler) *requests {
	asked := &requests{}
	w.setBend(func(rw http.ResponseWriter, r *http.Request) bool {
		asked.note(r)
		handler.ServeHTTP(rw, r)
		return true
	})
	return asked
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
			asked := w.through(w.cluster.HandlerWithOtherHash())
			reflector, rec := w.start(setup{ranges: mine, selector: true})
			w.converge(rec, "the list")
			if n := w.value(mismatches, nil); n != 1 || !mismatched(reflector) {
				t.Errorf("%s %v, mismatched %v", mismatches, n, mismatched(reflector))
			}
			before := asked.count("shardSelector", some)
			w.cluster.Compact()
			w.cluster.CloseWatches()
			w.pods(0, 600, "n1", mine)
			w.converge(rec, "events")
			if _, err := reflector.ListMetadata(t.Context(), func(Object) {}); err != nil {
				t.Error(err)
			}
			if after := asked.count("shardSelector", some); before == 0 || after != before {
				t.Errorf("%d requests with a selector, %d after the mismatch was found", before, after)
			}
			if n := w.value(mismatches, nil); n != 1 {
				t.Errorf("%s %v at the end", mismatches, n)
			}
		})
	}
}

func TestServerThatChangesItsHashWhileItIsWatchedLosesNoObjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{ShardSelector: true})
	mine := oneOfThree(t)
	w.pods(0, 600, "n0", mine)
	reflector, rec := w.start(setup{ranges: mine, selector: true})
	w.converge(rec, "the list")
	if mismatched(reflector) {
		t.Fatal("a server that is right is not believed")
	}
	w.through(w.cluster.HandlerWithOtherHash())
	w.cluster.CloseWatches()
	w.pods(0, 700, "n1", mine)
	w.converge(rec, "events of the other server")
	if !mismatched(reflector) {
		t.Error("not noticed")
	}
}

// TestMismatchEndsTheSelectorsOfAllSources: those of one process know of one another.
func TestMismatchEndsTheSelectorsOfAllSources(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{ShardSelector: true})
	w.pods(0, 600, "n0", oneOfThree(t))
	asked := w.through(w.cluster.HandlerWithOtherHash())
	first, rec := w.start(setup{ranges: oneOfThree(t), selector: true})
	w.converge(rec, "the first list")
	before := asked.count("shardSelector", some)
	w.registry = prometheus.NewPedanticRegistry()
	second, rec := w.reflector(setup{ranges: oneOfThree(t), selector: true})
	second.Sharding = first.Sharding
	w.run(second)
	w.converge(rec, "the second list")
	if after := asked.count("shardSelector", some); after != before {
		t.Errorf("%d requests with a selector after the mismatch was found", after-before)
	}
}

// leavesOut has the API server filter by a part of the ranges that it is asked for, and not say so.
func (w *world) leavesOut(part shard.Ranges) {
	handler := w.cluster.Handler()
	w.setBend(func(rw http.ResponseWriter, r *http.Request) bool {
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

// TestCheckFindsWhatTheServerLeavesOut: nothing that a filtered list brings is wrong here.
func TestCheckFindsWhatTheServerLeavesOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{ShardSelector: true})
	mine := oneOfThree(t)
	part := shard.Ranges{{Start: mine[0].Start, End: mine[0].Start + (mine[0].End-mine[0].Start)/2}}
	w.pods(0, 600, "n0", mine)
	w.leavesOut(part)
	reflector, rec := w.start(setup{ranges: mine, selector: true})
	eventually(t, "synced", func() bool { return reflector.Status().Phase == Synced })
	if n := len(rec.snapshot()); n == 0 || n == len(w.want) {
		t.Fatalf("%d of %d objects were left out", len(w.want)-n, len(w.want))
	}
	var err error
	for range 100 { // one in three compares with everything
		if _, err = reflector.ListMetadata(t.Context(), func(Object) {}); err != nil {
			break
		}
	}
	if !errors.Is(err, sharding.ErrMismatch) || !mismatched(reflector) {
		t.Errorf("not noticed: %v", err)
	}
}

func TestCheckOfAServerThatIsRightFindsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{ShardSelector: true})
	mine := oneOfThree(t)
	w.pods(0, 100, "n0", mine)
	asked := &requests{}
	w.setBend(func(_ http.ResponseWriter, r *http.Request) bool { asked.note(r); return false })
	reflector, rec := w.start(setup{ranges: mine, selector: true})
	w.converge(rec, "the list")
	scanned := make(chan error, 1)
	go func() {
		var err error
		for n := 0; n < 60 && err == nil; n++ {
			_, err = reflector.ListMetadata(t.Context(), func(Object) {})
		}
		scanned <- err
	}()
	for i := 0; len(scanned) == 0; i++ { // pods come, change and go
		w.pod(100+i%300, fmt.Sprint("n", i))
		if gone := 100 + (i+150)%300; i >= 150 {
			w.remove(gone)
			w.pod(gone, "again")
		}
	}
	if err := <-scanned; err != nil {
		t.Fatal(err)
	}
	if mismatched(reflector) {
		t.Error("a server that is right is not believed")
	}
	whole := asked.count("shardSelector", func(value string) bool { return value == "" })
	if whole == 0 {
		t.Error("nothing was compared with everything")
	}
}

// TestServerThatIgnoresTheSelectorIsAskedOnce: most do, and each kind would ask for itself, at each watch.
func TestServerThatIgnoresTheSelectorIsAskedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.pods(0, 300, "n0", oneOfThree(t))
	asked := &requests{}
	w.setBend(func(_ http.ResponseWriter, r *http.Request) bool { asked.note(r); return false })
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
	if n := asked.count("limit", func(value string) bool { return value == fmt.Sprint(verifyPage) }); n != 1 {
		t.Errorf("%d requests to verify the filter", n)
	}
	if mismatched(reflector) || w.value(mismatches, nil) != 0 {
		t.Error("a server that ignores the selector is taken for one that is wrong")
	}
}

// TestSelectorIsShortenedUntilItPasses: a proxy in front of the API server allows a short request line only, or none with a
// selector.
func TestSelectorIsShortenedUntilItPasses(t *testing.T) {
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
				w.setBend(func(rw http.ResponseWriter, r *http.Request) bool {
					if selector := r.URL.Query().Get("shardSelector"); selector != "" && len(selector) > longest {
						http.Error(rw, "<html>too long", code)
						return true
					}
					passed.note(r)
					return false
				})
				reflector, rec := w.start(setup{ranges: mine, selector: true})
				w.converge(rec, "the list")
				w.pods(0, 600, "n1", mine)
				w.converge(rec, "events")
				ignored := w.value("statefleet_watch_objects_total", map[string]string{"shard": "ignored"})
				if all := float64(2 * (600 - len(w.want))); (ignored > all/2) != (longest == 0) {
					t.Errorf("%v objects of others arrived, of %v", ignored, all)
				}
				if sent := passed.count("shardSelector", some); (sent > 0) != (longest > 0) || mismatched(reflector) {
					t.Errorf("%d requests with a selector passed, mismatched %v", sent, mismatched(reflector))
				}
			})
		}
	}
}
