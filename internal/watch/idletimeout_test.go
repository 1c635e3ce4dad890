package watch

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// TestSilentStreamedListIsGivenUp: there is a list without streaming then. Once it is complete the watch may be silent.
func TestSilentStreamedListIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{"no answer": "", "no end": `{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","uid":"a","resourceVersion":"1"}}}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{})
			w.pod(1, "n0")
			var given, watched atomic.Int32
			w.setBend(func(rw http.ResponseWriter, r *http.Request) bool {
				if r.URL.Query().Get("watch") != "" {
					watched.Add(1)
				}
				if r.URL.Query().Get("sendInitialEvents") == "" {
					return false
				}
				if begin != "" {
					rw.Header().Set("Content-Type", "application/json")
					frame(rw, begin)
				}
				<-r.Context().Done()
				given.Add(1)
				return true
			})
			reflector, rec := w.reflector(setup{})
			reflector.IdleTimeout = 500 * time.Millisecond
			w.run(reflector)
			w.converge(rec, "a list without streaming")
			eventually(t, "the streamed list is given up, and the other one is complete", func() bool {
				return given.Load() > 0 && reflector.Status().Phase == Synced
			})
			lists, watches := given.Load(), watched.Load()
			time.Sleep(4 * reflector.IdleTimeout)
			if given.Load() != lists || watched.Load() > watches+1 {
				t.Errorf("%d streamed lists and %d watches after the list was complete, want none and 1 at most", given.Load()-lists, watched.Load()-watches)
			}
		})
	}
}

// TestStreamedListMayBeSilentOnceItIsComplete, as any watch.
func TestStreamedListMayBeSilentOnceItIsComplete(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.pod(1, "n0")
	reflector, rec := w.reflector(setup{})
	reflector.IdleTimeout = 2 * time.Second // more than the list takes, also beside other tests
	w.run(reflector)
	w.converge(rec, "the list")
	eventually(t, "synced", func() bool { return reflector.Status().Phase == Synced })
	time.Sleep(2 * reflector.IdleTimeout)
	w.pod(1, "n1")
	w.converge(rec, "an event")
	if n := w.value("kube_state_metrics_watch_total", map[string]string{"result": "success"}); n != 1 {
		t.Errorf("%v watches, want 1", n)
	}
}
