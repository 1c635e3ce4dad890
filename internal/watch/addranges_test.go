package watch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/shard"
)

// growingReflector is a Reflector whose ranges grow, with the requests that it has sent.
type growingReflector struct {
	*Reflector
	rec  *recorder
	held atomic.Pointer[shard.Ranges]

	mu   sync.Mutex
	sent []string // of each request: its verb, resourceVersion and shardSelector
}

// grow starts a Reflector that holds the second shard of three.
func (w *world) grow(t *testing.T) (g *growingReflector, added shard.Ranges) {
	t.Helper()
	g = &growingReflector{}
	mine := oneOfThree(t)
	g.held.Store(&mine)
	w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		q, verb := r.URL.Query(), "list"
		if q.Get("watch") != "" {
			verb = "watch"
		}
		g.sent = append(g.sent, verb+" "+q.Get("resourceVersion")+" "+q.Get("shardSelector"))
		return false
	})
	g.Reflector, g.rec = w.reflector(setup{})
	g.rec.owns = func(hash uint64) bool { return g.held.Load().Contains(hash) }
	g.Selector = func() string { return g.held.Load().Selector() }
	w.run(g.Reflector)
	table, err := shard.NewTable(3)
	if err != nil {
		t.Fatal(err)
	}
	return g, table.Ranges(0)
}

// widen adds the ranges to the held ones.
func (g *growingReflector) widen(added shard.Ranges) RangeAddition {
	all := g.held.Load().Union(added)
	g.held.Store(&all)
	return RangeAddition{Contains: added.Contains, Selector: added.Selector()}
}

func (g *growingReflector) requests(after int) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.sent[after:]...)
}

// held returns the part of w.want that the ranges hold.
func (w *world) held(g *growingReflector) map[string]string {
	want := maps.Clone(w.want)
	maps.DeleteFunc(want, func(uid, _ string) bool { return !g.held.Load().Contains(shard.Hash(uid)) })
	return want
}

// convergeHeld waits until the Reflector's objects are those of the cluster in its ranges.
func (w *world) convergeHeld(t *testing.T, g *growingReflector, what string) {
	t.Helper()
	eventually(t, what, func() bool { return maps.Equal(g.rec.snapshot(), w.held(g)) })
}

func TestAddRangesListsAddedRangesOnly(t *testing.T) {
	t.Parallel()
	for _, o := range []simulator.Options{{}, {ShardSelector: true}, {NoWatchList: true}, {ShardSelector: true, NoWatchList: true}} {
		t.Run(fmt.Sprintf("server-side sharding %v, streamed lists %v", o.ShardSelector, !o.NoWatchList), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, o)
			for i := range 700 { // two pages
				w.pod(i, "n0")
			}
			g, added := w.grow(t)
			w.waitForUpdates(t, g, 700)
			before, puts := len(g.requests(0)), g.rec.count(func(r *recorder) int { return r.puts })

			add := g.widen(added)
			if err := g.AddRanges(t.Context(), add); err != nil {
				t.Fatal(err)
			}
			if got, want := g.rec.snapshot(), w.held(g); !maps.Equal(got, want) {
				t.Errorf("%d objects are held when AddRanges returns, want %d", len(got), len(want))
			}
			share := 0
			for uid := range w.want {
				if added.Contains(shard.Hash(uid)) {
					share++
				}
			}
			if n := g.rec.count(func(r *recorder) int { return r.puts }) - puts; n < share || n > share+1 {
				t.Errorf("%d objects were put, want only the %d of the added ranges", n, share)
			}
			g.checkRequests(t, before, add)
			for i := range 700 {
				w.pod(i, "n2")
			}
			w.convergeHeld(t, g, "updates of the added ranges")
		})
	}
}

// checkRequests fails the test unless the watch was opened with all ranges before the addition was
// listed, and nothing else was requested.
func (g *growingReflector) checkRequests(t *testing.T, before int, add RangeAddition) {
	t.Helper()
	watched := false
	for _, request := range g.requests(before) {
		verb, rest, _ := strings.Cut(request, " ")
		version, selector, _ := strings.Cut(rest, " ")
		switch {
		case verb == "watch" && selector == g.Selector() && version != "":
			watched = true
		case verb == "list" && selector == add.Selector && watched:
		default:
			t.Errorf("unexpected request: %s", request)
		}
	}
	if !watched {
		t.Error("the watch was not opened again")
	}
}

// TestAddRangesDuringChurn checks that no event is lost or undone while the cluster changes.
func TestAddRangesDuringChurn(t *testing.T) {
	t.Parallel()
	for _, selector := range []bool{false, true} {
		t.Run(fmt.Sprintf("server-side sharding %v", selector), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{ShardSelector: selector})
			for i := range 300 {
				w.pod(i, "n0")
			}
			g, added := w.grow(t)
			w.waitForUpdates(t, g, 300)
			add := g.widen(added)
			done := make(chan error, 1)
			go func() { done <- g.AddRanges(t.Context(), add) }()
			for round := 0; len(done) == 0 || round < 5; round++ {
				for i := round % 7; i < 300; i += 7 {
					w.pod(i, fmt.Sprint("r", round))
				}
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			w.convergeHeld(t, g, "the held objects")
		})
	}
}

func TestAddRangesNeedsACompleteList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.intercept(func(rw http.ResponseWriter, _ *http.Request) bool {
		rw.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	reflector, _ := w.start(setup{})
	if err := reflector.AddRanges(t.Context(), RangeAddition{Contains: shard.All().Contains}); !errors.Is(err, ErrNotSynced) {
		t.Errorf("got error %v, want %v", err, ErrNotSynced)
	}
}

// TestAddRangesRejectsAStaleList also checks that the next call succeeds.
func TestAddRangesRejectsAStaleList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	for i := range 50 {
		w.pod(i, "n0")
	}
	g, added := w.grow(t)
	w.convergeHeld(t, g, "the list")
	eventually(t, "synced", func() bool { return g.Status().Phase == Synced })
	stale := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/pods", nil)
	w.cluster.Handler().ServeHTTP(stale, request)
	for i := range 50 {
		w.pod(i, "n1")
	}
	w.convergeHeld(t, g, "updates")
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("watch") != "" {
			return false
		}
		maps.Copy(rw.Header(), stale.Header())
		_, _ = rw.Write(stale.Body.Bytes())
		return true
	})
	add := g.widen(added)
	if err := g.AddRanges(t.Context(), add); !errors.Is(err, ErrStaleList) {
		t.Errorf("got error %v, want %v", err, ErrStaleList)
	}
	w.intercept(nil)
	for i := range 50 {
		w.pod(i, "n2")
	}
	eventually(t, "an event of a held object", func() bool {
		for uid, node := range g.rec.snapshot() {
			if oneOfThree(t).Contains(shard.Hash(uid)) && node != "n2" {
				return false
			}
		}
		return true
	})
	if err := g.AddRanges(t.Context(), add); err != nil {
		t.Error(err)
	}
	w.convergeHeld(t, g, "the held objects")
}

func TestAddRangesEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.pod(0, "n0")
	reflector, rec := w.start(setup{})
	w.converge(rec, "the list")
	eventually(t, "synced", func() bool { return reflector.Status().Phase == Synced })
	w.intercept(func(rw http.ResponseWriter, _ *http.Request) bool {
		rw.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- reflector.AddRanges(ctx, RangeAddition{Contains: shard.All().Contains}) }()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
}

// TestWatchWithTheNarrowSelectorIsNotKept covers a watch that is being opened with the old
// selector. The watch would not receive the events of the added ranges.
func TestWatchWithTheNarrowSelectorIsNotKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{ShardSelector: true})
	for i := range 60 {
		w.pod(i, "n0")
	}
	g, added := w.grow(t)
	w.waitForUpdates(t, g, 60)
	narrow := g.Selector()
	requested, proceed := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if q := r.URL.Query(); q.Get("watch") != "" && q.Get("shardSelector") == narrow {
			once.Do(func() { close(requested) })
			await(r, proceed)
		}
		return false
	})
	w.cluster.CloseWatches()
	<-requested
	add := g.widen(added)
	done := make(chan error, 1)
	go func() { done <- g.AddRanges(t.Context(), add) }()
	close(proceed)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		w.pod(i, "n2")
	}
	w.convergeHeld(t, g, "updates of the added ranges")
}
