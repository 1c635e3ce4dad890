package watch

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// TestSilentStreamedListTimesOut checks that a list in pages follows, and that the watch after it
// may be silent.
func TestSilentStreamedListTimesOut(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{"no answer": "", "no end": `{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","uid":"a","resourceVersion":"1"}}}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{})
			w.pod(1, "n0")
			var streamed, watched atomic.Int32
			w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
				if r.URL.Query().Get("watch") != "" {
					watched.Add(1)
				}
				if r.URL.Query().Get("sendInitialEvents") == "" {
					return false
				}
				if begin != "" {
					rw.Header().Set("Content-Type", "application/json")
					writeFrame(rw, begin)
				}
				<-r.Context().Done()
				streamed.Add(1)
				return true
			})
			reflector, rec := w.reflector(setup{})
			reflector.IdleTimeout = 500 * time.Millisecond
			w.run(reflector)
			w.converge(rec, "a list without streaming")
			eventually(t, "a timeout of the streamed list, and a complete list in pages", func() bool {
				return streamed.Load() > 0 && reflector.Status().Phase == Synced
			})
			lists, watches := streamed.Load(), watched.Load()
			time.Sleep(4 * reflector.IdleTimeout)
			if streamed.Load() != lists || watched.Load() > watches+1 {
				t.Errorf("got %d streamed lists and %d watches after the list was complete, want none and 1 at most", streamed.Load()-lists, watched.Load()-watches)
			}
		})
	}
}

func TestCompleteStreamedListMayBeSilent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.pod(1, "n0")
	reflector, rec := w.reflector(setup{})
	reflector.IdleTimeout = 2 * time.Second // longer than the list takes, even with parallel tests
	w.run(reflector)
	w.converge(rec, "the list")
	eventually(t, "synced", func() bool { return reflector.Status().Phase == Synced })
	time.Sleep(2 * reflector.IdleTimeout)
	w.pod(1, "n1")
	w.converge(rec, "an event")
	if n := w.value("kube_state_metrics_watch_total", map[string]string{"result": "success"}); n != 1 {
		t.Errorf("got %v watches, want 1", n)
	}
}
