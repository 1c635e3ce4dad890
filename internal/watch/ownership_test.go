package watch

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/shard"
)

const sharded = "statefleet_watch_sharded_by_server"

// oneOfThree returns the ranges of the second of three shards.
func oneOfThree(t *testing.T) shard.Ranges {
	t.Helper()
	table, err := shard.NewTable(3)
	if err != nil {
		t.Fatal(err)
	}
	return table.Ranges(1)
}

// pods stores pods with these numbers, and reduces w.want to the objects in the ranges.
func (w *world) pods(from, to int, node string, ranges shard.Ranges) {
	w.t.Helper()
	for i := from; i < to; i++ {
		w.pod(i, node)
	}
	maps.DeleteFunc(w.want, func(uid, _ string) bool { return !ranges.Contains(shard.Hash(uid)) })
}

func TestHandlerReceivesOwnedObjectsOnly(t *testing.T) {
	t.Parallel()
	for _, o := range []simulator.Options{
		{}, {NoWatchList: true}, {ShardSelector: true}, {ShardSelector: true, NoWatchList: true},
	} {
		t.Run(fmt.Sprintf("server-side sharding %v, streamed lists %v", o.ShardSelector, !o.NoWatchList), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, o)
			mine := oneOfThree(t)
			w.pods(0, 300, "n0", mine)
			share := len(w.want)
			reflector, rec := w.start(setup{ranges: mine, selector: true})
			w.converge(rec, "the list")
			eventually(t, "synced", func() bool { return reflector.Status().Phase == Synced })
			if v := w.value(sharded, nil); (v == 1) != o.ShardSelector {
				t.Errorf("%s is %v after the list, and the server shards: %v", sharded, v, o.ShardSelector)
			}
			w.pods(0, 300, "n1", mine)
			w.converge(rec, "updates")
			got := int(w.value("statefleet_watch_objects_total", map[string]string{"shard": "owned"}))
			if got != 2*share {
				t.Errorf("got %d owned objects, want %d", got, 2*share)
			}
			ignored := w.value("statefleet_watch_objects_total", map[string]string{"shard": "ignored"})
			if o.ShardSelector != (ignored == 0) {
				t.Errorf("received %v objects of other shards, and the server shards: %v", ignored, o.ShardSelector)
			}
			ignoredBytes, received := w.value("statefleet_watch_ignored_bytes_total", nil), w.value("statefleet_watch_received_bytes_total", nil)
			if o.ShardSelector != (ignoredBytes == 0) || ignoredBytes >= received || !o.ShardSelector && ignoredBytes < received/3 {
				t.Errorf("got %v ignored bytes of %v, and the server shards: %v", ignoredBytes, received, o.ShardSelector)
			}
			if v := w.value(sharded, nil); (v == 1) != o.ShardSelector {
				t.Errorf("%s is %v after updates, and the server shards: %v", sharded, v, o.ShardSelector)
			}
		})
	}
}

// TestServersThatDisagreeAboutSharding alternates between a server that honours the selector and
// one that ignores it.
func TestServersThatDisagreeAboutSharding(t *testing.T) {
	t.Parallel()
	for _, noWatchList := range []bool{false, true} {
		t.Run(fmt.Sprintf("streamed lists %v", !noWatchList), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{ShardSelector: true, NoWatchList: noWatchList})
			handler := w.cluster.Handler()
			var requests atomic.Int32
			w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
				ignoring := requests.Add(1)%2 == 1
				if ignoring {
					handler.ServeHTTP(rw, withoutSelector(r))
				}
				return ignoring
			})
			mine := oneOfThree(t)
			w.pods(0, 1200, "n0", mine) // more than two pages
			_, rec := w.start(setup{ranges: mine, selector: true})
			w.converge(rec, "the list")
			for round := range 3 {
				w.cluster.CloseWatches()
				if round == 1 {
					w.cluster.Compact() // forces a list
				}
				node := fmt.Sprint("n", round+1)
				w.pods(round, 1200+round, node, mine) // some pods are new
				w.removePod(round)
				w.converge(rec, "events of round "+node)
			}
			ignored := w.value("statefleet_watch_objects_total", map[string]string{"shard": "ignored"})
			if n := requests.Load(); n < 4 || ignored == 0 {
				t.Errorf("got %d requests and %v objects of other shards, want requests to both servers", n, ignored)
			}
		})
	}
}

// withoutSelector returns the request as a server without sharding reads it.
func withoutSelector(r *http.Request) *http.Request {
	r = r.Clone(r.Context())
	query := r.URL.Query()
	query.Del("shardSelector")
	r.URL = &url.URL{Path: r.URL.Path, RawQuery: query.Encode()}
	return r
}
