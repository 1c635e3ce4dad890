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

// growing is a Reflector whose ranges grow, and what it asked the API server for.
type growing struct {
	*Reflector
	rec  *recorder
	held atomic.Pointer[shard.Ranges]

	mu    sync.Mutex
	asked []string // of each request: its verb, resourceVersion and shardSelector
}

// grow starts a Reflector that holds the second shard of three.
func (w *world) grow(t *testing.T) (g *growing, gained shard.Ranges) {
	t.Helper()
	g = &growing{}
	mine := oneOfThree(t)
	g.held.Store(&mine)
	w.setBend(func(_ http.ResponseWriter, r *http.Request) bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		q, verb := r.URL.Query(), "list"
		if q.Get("watch") != "" {
			verb = "watch"
		}
		g.asked = append(g.asked, verb+" "+q.Get("resourceVersion")+" "+q.Get("shardSelector"))
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
func (g *growing) widen(gained shard.Ranges) RangeAddition {
	all := g.held.Load().Union(gained)
	g.held.Store(&all)
	return RangeAddition{Contains: gained.Contains, Selector: gained.Selector()}
}

func (g *growing) requests(after int) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.asked[after:]...)
}

// held leaves of w.want what the ranges hold.
func (w *world) held(g *growing) map[string]string {
	want := maps.Clone(w.want)
	maps.DeleteFunc(want, func(uid, _ string) bool { return !g.held.Load().Contains(shard.Hash(uid)) })
	return want
}

func (w *world) convergeHeld(t *testing.T, g *growing, what string) {
	t.Helper()
	eventually(t, what, func() bool { return maps.Equal(g.rec.snapshot(), w.held(g)) })
}

func TestAcquireListsWhatIsGainedOnly(t *testing.T) {
	t.Parallel()
	for _, o := range []simulator.Options{{}, {ShardSelector: true}, {NoWatchList: true}, {ShardSelector: true, NoWatchList: true}} {
		t.Run(fmt.Sprintf("server-side sharding %v, streamed lists %v", o.ShardSelector, !o.NoWatchList), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, o)
			for i := range 700 { // two pages
				w.pod(i, "n0")
			}
			g, gained := w.grow(t)
			w.follow(t, g, 700)
			before, puts := len(g.requests(0)), g.rec.count(func(r *recorder) int { return r.puts })

			gain := g.widen(gained)
			if err := g.AddRanges(t.Context(), gain); err != nil {
				t.Fatal(err)
			}
			if got, want := g.rec.snapshot(), w.held(g); !maps.Equal(got, want) {
				t.Errorf("%d objects are held when Acquire returns, want %d", len(got), len(want))
			}
			share := 0
			for uid := range w.want {
				if gained.Contains(shard.Hash(uid)) {
					share++
				}
			}
			if n := g.rec.count(func(r *recorder) int { return r.puts }) - puts; n < share || n > share+1 {
				t.Errorf("%d objects came, want the %d that are gained", n, share)
			}
			g.checkRequests(t, before, gain)
			for i := range 700 {
				w.pod(i, "n2")
			}
			w.convergeHeld(t, g, "updates of what is gained")
		})
	}
}

// checkRequests wants the watch to be opened for all, before the gain is listed, and no other list.
func (g *growing) checkRequests(t *testing.T, before int, gain RangeAddition) {
	t.Helper()
	watched := false
	for _, request := range g.requests(before) {
		verb, rest, _ := strings.Cut(request, " ")
		version, selector, _ := strings.Cut(rest, " ")
		switch {
		case verb == "watch" && selector == g.Selector() && version != "":
			watched = true
		case verb == "list" && selector == gain.Selector && watched:
		default:
			t.Errorf("unexpected request: %s", request)
		}
	}
	if !watched {
		t.Error("the watch was not opened again")
	}
}

// The cluster changes all the time, and nothing of it is lost or brought back.
func TestAcquireWhileTheClusterChanges(t *testing.T) {
	t.Parallel()
	for _, selector := range []bool{false, true} {
		t.Run(fmt.Sprintf("server-side sharding %v", selector), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{ShardSelector: selector})
			for i := range 300 {
				w.pod(i, "n0")
			}
			g, gained := w.grow(t)
			w.follow(t, g, 300)
			gain := g.widen(gained)
			acquired := make(chan error, 1)
			go func() { acquired <- g.AddRanges(t.Context(), gain) }()
			for round := 0; len(acquired) == 0 || round < 5; round++ {
				for i := round % 7; i < 300; i += 7 {
					w.pod(i, fmt.Sprint("r", round))
				}
			}
			if err := <-acquired; err != nil {
				t.Fatal(err)
			}
			w.convergeHeld(t, g, "the held objects")
		})
	}
}

func TestAcquireNeedsACompleteList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.setBend(func(rw http.ResponseWriter, _ *http.Request) bool {
		rw.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	reflector, _ := w.start(setup{})
	if err := reflector.AddRanges(t.Context(), RangeAddition{Contains: shard.All().Contains}); !errors.Is(err, ErrNotSynced) {
		t.Errorf("got %v", err)
	}
}

// A list from an API server that is behind does not count, and the next one does.
func TestAcquireDoesNotBelieveAnOldList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	for i := range 50 {
		w.pod(i, "n0")
	}
	g, gained := w.grow(t)
	w.convergeHeld(t, g, "the list")
	eventually(t, "synced", func() bool { return g.Status().Phase == Synced })
	old := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/pods", nil)
	w.cluster.Handler().ServeHTTP(old, request)
	for i := range 50 {
		w.pod(i, "n1")
	}
	w.convergeHeld(t, g, "updates")
	w.setBend(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("watch") != "" {
			return false
		}
		maps.Copy(rw.Header(), old.Header())
		_, _ = rw.Write(old.Body.Bytes())
		return true
	})
	gain := g.widen(gained)
	if err := g.AddRanges(t.Context(), gain); !errors.Is(err, ErrStaleList) {
		t.Errorf("got %v", err)
	}
	w.setBend(nil)
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
	if err := g.AddRanges(t.Context(), gain); err != nil {
		t.Error(err)
	}
	w.convergeHeld(t, g, "the held objects")
}

func TestAcquireEndsWithItsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.pod(0, "n0")
	reflector, rec := w.start(setup{})
	w.converge(rec, "the list")
	eventually(t, "synced", func() bool { return reflector.Status().Phase == Synced })
	w.setBend(func(rw http.ResponseWriter, _ *http.Request) bool {
		rw.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- reflector.AddRanges(ctx, RangeAddition{Contains: shard.All().Contains}) }()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A watch may be on its way with the selector from before. It would not bring what happens to the
// added ranges.
func TestWatchWithTheNarrowSelectorIsNotKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{ShardSelector: true})
	for i := range 60 {
		w.pod(i, "n0")
	}
	g, gained := w.grow(t)
	w.follow(t, g, 60)
	narrow := g.Selector()
	asked, may := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.setBend(func(_ http.ResponseWriter, r *http.Request) bool {
		if q := r.URL.Query(); q.Get("watch") != "" && q.Get("shardSelector") == narrow {
			once.Do(func() { close(asked) })
			await(r, may)
		}
		return false
	})
	w.cluster.CloseWatches()
	<-asked
	add := g.widen(gained)
	added := make(chan error, 1)
	go func() { added <- g.AddRanges(t.Context(), add) }()
	close(may)
	if err := <-added; err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		w.pod(i, "n2")
	}
	w.convergeHeld(t, g, "updates of the added ranges")
}
