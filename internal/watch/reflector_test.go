package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/shard"
)

func jsonUnmarshal(b []byte, v any) error { return json.Unmarshal(b, v) }

func TestReflectorFollowsTheCluster(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		setup
		simulator.Options
	}{
		"streamed list, protobuf": {},
		"streamed list, JSON":     {setup: setup{json: true}},
		"paged list, protobuf":    {Options: simulator.Options{NoWatchList: true}},
		"paged list, JSON":        {setup: setup{json: true}, Options: simulator.Options{NoWatchList: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.Options)
			for i := range 1200 { // more than two pages
				w.pod(i, "n0")
			}
			reflector, rec := w.start(c.setup)
			w.converge(rec, "the list")
			eventually(t, "synced", func() bool { return reflector.Status().Phase == Synced })
			w.pod(1, "n1")
			w.pod(5000, "n2")
			w.removePod(2)
			w.converge(rec, "events")
			w.cluster.CloseWatches()
			w.pod(3, "n3")
			w.removePod(4)
			w.converge(rec, "events after the watch has ended")
		})
	}
}

func TestRelistAfterExpiredVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	for i := range 20 {
		w.pod(i, "n0")
	}
	_, rec := w.start(setup{})
	w.converge(rec, "the list")
	var unavailable atomic.Bool
	unavailable.Store(true)
	w.intercept(func(rw http.ResponseWriter, _ *http.Request) bool {
		if unavailable.Load() {
			http.Error(rw, "unavailable", http.StatusServiceUnavailable)
		}
		return unavailable.Load()
	})
	w.cluster.CloseWatches()
	w.server.CloseClientConnections()
	for i := range 10 {
		w.removePod(i)
	}
	w.pod(11, "n1")
	w.cluster.Compact() // the watch cannot be resumed: 410 Gone
	unavailable.Store(false)
	w.converge(rec, "the relist")
}

// TestFailingGatewayCausesNoList checks that a watch is opened again at its version: when the gateway before the API
// server fails, every replica would list every resource.
func TestFailingGatewayCausesNoList(t *testing.T) {
	t.Parallel()
	for _, code := range []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{})
			var fails atomic.Bool
			var failed, lists atomic.Int32
			w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
				query := r.URL.Query()
				if query.Get("watch") == "" || query.Get("sendInitialEvents") != "" {
					lists.Add(1)
					return false
				}
				if fails.Load() {
					failed.Add(1)
					http.Error(rw, "no answer", code)
				}
				return fails.Load()
			})
			w.pod(1, "n0")
			_, rec := w.start(setup{})
			w.converge(rec, "the list")
			before := lists.Load()
			fails.Store(true)
			w.cluster.CloseWatches()
			eventually(t, "two watches failed", func() bool { return failed.Load() >= 2 })
			w.pod(2, "n0")
			fails.Store(false)
			w.converge(rec, "the watch")
			if n := lists.Load() - before; n != 0 {
				t.Errorf("got %d lists, want none", n)
			}
		})
	}
}

func TestRejectedSelectorIsOmitted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("shardSelector") == "" {
			return false
		}
		answer(rw, http.StatusInternalServerError, "InternalError", "invalid shard selector")
		return true
	})
	w.pod(1, "n0")
	_, rec := w.start(setup{ranges: shard.Ranges{{Start: 1, End: 0}}, selector: true})
	w.converge(rec, "the list without a selector")
	if v := w.value("statefleet_watch_sharded_by_server", nil); v != 0 {
		t.Errorf("statefleet_watch_sharded_by_server is %v, want 0", v)
	}
}

func TestForbiddenAndAbsentAreRetried(t *testing.T) {
	t.Parallel()
	for phase, status := range map[Phase]int{Forbidden: http.StatusForbidden, Absent: http.StatusNotFound} {
		t.Run(string(phase), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{})
			w.pod(1, "n0")
			var refuse atomic.Bool
			refuse.Store(true)
			w.intercept(func(rw http.ResponseWriter, _ *http.Request) bool {
				if refuse.Load() {
					answer(rw, status, http.StatusText(status), "no")
				}
				return refuse.Load()
			})
			reflector, rec := w.start(setup{})
			eventually(t, "the phase of the refusal", func() bool { return reflector.Status().Phase == phase })
			if st := reflector.Status(); st.Synced || st.Err == nil {
				t.Errorf("got status %+v, want an error, and not synced", st)
			}
			eventually(t, "a count of failed lists", func() bool {
				return w.value("kube_state_metrics_list_total", map[string]string{"result": "error"}) >= 1
			})
			refuse.Store(false)
			w.converge(rec, "the list after the refusal")
			eventually(t, "synced", func() bool { return reflector.Status().Phase == Synced })
		})
	}
}

func TestGarbageEndsOnlyTheWatch(t *testing.T) {
	t.Parallel()
	for name, garbage := range map[string]string{
		"frame that is no message": "\x00\x00\x00\x04\xff\xff\xff\xff",
		"truncated frame":          "\x00\x00\x01\x00short",
		"huge frame":               "\x7f\xff\xff\xff",
		"not JSON":                 "{{{{",
		"nothing":                  "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{})
			w.pod(1, "n0")
			var served atomic.Int32
			w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
				if r.URL.Query().Get("watch") == "" || served.Add(1) > 2 {
					return false
				}
				_, _ = rw.Write([]byte(garbage))
				return true
			})
			_, rec := w.start(setup{})
			w.converge(rec, "the list after garbage")
			w.pod(2, "n1")
			w.converge(rec, "events after garbage")
		})
	}
}

func TestHandlerIsNotCalledAfterRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	for i := range 500 {
		w.pod(i, "n0")
	}
	reflector, rec := w.reflector(setup{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for i := range 500 {
			w.pod(i, "n1")
			if rec.count(func(r *recorder) int { return r.puts }) > 50 {
				cancel()
			}
		}
		cancel()
	}()
	reflector.Run(ctx)
	before := rec.count(func(r *recorder) int { return r.puts })
	w.server.CloseClientConnections()
	if after := rec.count(func(r *recorder) int { return r.puts }); after != before {
		t.Errorf("got %d calls of Put after Run has returned, want none", after-before)
	}
}

func TestRunEndsWhileTheServerIsUnavailable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	reflector, _ := w.reflector(setup{})
	w.server.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		reflector.Run(ctx)
	}()
	eventually(t, "an error", func() bool { return reflector.Status().Err != nil })
	cancel()
	eventually(t, "the end of Run", func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	})
}

func TestWatchResumesAtItsVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.pod(0, "n0")
	_, rec := w.start(setup{})
	w.converge(rec, "the list")
	for i := range 10 {
		w.pod(i, "n1")
	}
	w.converge(rec, "events")
	w.checkResumption(t)
}

// checkResumption ends all watches, and fails the test unless the next one begins at the newest version.
func (w *world) checkResumption(t *testing.T) {
	t.Helper()
	var from atomic.Value
	w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if q := r.URL.Query(); q.Get("watch") != "" {
			from.CompareAndSwap(nil, q.Get("resourceVersion"))
		}
		return false
	})
	w.cluster.CloseWatches()
	eventually(t, "a new watch", func() bool { return from.Load() != nil })
	if version, want := from.Load(), fmt.Sprint(w.cluster.ResourceVersion()); version != want {
		t.Errorf("the watch was resumed at %v, want %s", version, want)
	}
}

// answer answers a request with a Status.
func answer(rw http.ResponseWriter, code int, reason, message string) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(code)
	_, _ = fmt.Fprintf(rw, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"message":%q,"code":%d}`,
		strings.ReplaceAll(reason, " ", ""), message, code)
}
