package watch

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/testing/faketime"
)

func TestShortWatchesAreSpaced(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		l := limiter{start: wait.Backoff{Duration: time.Second / 2, Factor: 2, Steps: 1 << 20, Cap: 10 * time.Second}}
		start := time.Now()
		for range maxShort {
			l.wait(t.Context())
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("the first watches waited for %s, want no wait", took)
		}
		for range 20 {
			l.wait(t.Context())
		}
		if took := time.Since(start); took < 2*time.Minute {
			t.Errorf("23 short watches took %s, want 2 minutes or more", took)
		}
		time.Sleep(minLifetime) // a long watch
		again := time.Now()
		l.wait(t.Context())
		if took := time.Since(again); took > 0 {
			t.Errorf("the watch after a long one waited for %s, want no wait", took)
		}
		l.failed = true
		l.wait(t.Context())
		if took := time.Since(again); took != time.Second/2 {
			t.Errorf("the watch after a failed one waited for %s, want %s", took, time.Second/2)
		}
	})
}

// TestListsBetweenExpiredWatchesAreSpaced covers slow lists whose watches are all answered with
// 410.
func TestListsBetweenExpiredWatchesAreSpaced(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		l := limiter{start: wait.Backoff{Duration: time.Second / 2, Factor: 2, Steps: 1 << 20, Cap: 10 * time.Second}}
		const lists, took = 10, 5 * time.Second
		start := time.Now()
		for range lists {
			l.wait(t.Context())
			time.Sleep(took)
			l.listed()
			l.wait(t.Context())
		}
		if pauses := time.Since(start) - lists*took; pauses < time.Minute {
			t.Errorf("%d lists with pauses of %s in total, want a minute or more", lists, pauses)
		}
	})
}

// answerFirstWatch passes the first watch that is not a streamed list to first, and returns the
// versions of the first two such watches.
func (w *world) answerFirstWatch(first func(rw http.ResponseWriter, r *http.Request)) (versions *[2]atomic.Value) {
	versions = new([2]atomic.Value)
	var n atomic.Int32
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		query := r.URL.Query()
		if query.Get("watch") == "" || query.Get("sendInitialEvents") != "" {
			return false
		}
		i := n.Add(1) - 1
		if i < 2 {
			versions[i].Store(query.Get("resourceVersion"))
		}
		if i == 0 {
			first(rw, r)
		}
		return i == 0
	})
	return versions
}

// writeFrame writes a line and flushes it.
func writeFrame(rw http.ResponseWriter, text string) {
	_, _ = rw.Write([]byte(text + "\n"))
	_ = http.NewResponseController(rw).Flush()
}

func TestEventOfUnknownTypeIsNotLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	w.pod(1, "n0")
	w.answerFirstWatch(func(rw http.ResponseWriter, r *http.Request) {
		w.pod(2, "n1") // its event has an unknown type, and the server does not end the watch
		writeFrame(rw, `{"type":"ADDEE","object":{"metadata":{"name":"p2","namespace":"default","resourceVersion":"3"}}}`)
		<-r.Context().Done()
	})
	_, rec := w.start(setup{})
	eventually(t, "the event", func() bool { return rec.snapshot()[string(uid(2))] == "n1" })
}

// TestDuplicateEndOfStreamedListIsIgnored checks that the watch does not wait for a second list.
func TestDuplicateEndOfStreamedListIsIgnored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("sendInitialEvents") == "" {
			return false
		}
		rw.Header().Set("Content-Type", "application/json")
		end := `{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"1","annotations":{"k8s.io/initial-events-end":"true"}}}}`
		writeFrame(rw, end)
		writeFrame(rw, end)
		writeFrame(rw, `{"type":"ADDED","object":{"metadata":{"name":"p1","namespace":"default","uid":"`+string(uid(1))+`","resourceVersion":"2"},"spec":{"nodeName":"n0"}}}`)
		<-r.Context().Done()
		return true
	})
	_, rec := w.start(setup{})
	eventually(t, "the event", func() bool { return rec.snapshot()[string(uid(1))] == "n0" })
}

func TestUnknownVersionIsDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	w.pod(1, "n0")
	versions := w.answerFirstWatch(func(rw http.ResponseWriter, _ *http.Request) {
		writeFrame(rw, `{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"garbage"}}}`)
	})
	_, rec := w.start(setup{})
	eventually(t, "another watch", func() bool { return versions[1].Load() != nil })
	w.pod(2, "n1")
	w.converge(rec, "the event after the unknown version")
}

func TestEventWithoutVersionKeepsTheVersion(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"bookmark": `{"type":"BOOKMARK","object":{"metadata":{}}}`,
		"event":    `{"type":"MODIFIED","object":{"metadata":{"name":"p1","namespace":"default","uid":"` + string(uid(1)) + `"},"spec":{"nodeName":"n0"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{NoWatchList: true})
			w.pod(1, "n0")
			versions := w.answerFirstWatch(func(rw http.ResponseWriter, _ *http.Request) { writeFrame(rw, text) })
			w.start(setup{})
			eventually(t, "another watch", func() bool { return versions[1].Load() != nil })
			if first, second := versions[0].Load(), versions[1].Load(); first != second {
				t.Errorf("got watches from %v and then from %v, want the same version", first, second)
			}
		})
	}
}

// answerLists passes lists to answer until stop is called.
func (w *world) answerLists(answer func(rw http.ResponseWriter, r *http.Request)) (stop func()) {
	var stopped atomic.Bool
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if stopped.Load() || r.URL.Query().Get("watch") != "" {
			return false
		}
		answer(rw, r)
		return true
	})
	return func() { stopped.Store(true) }
}

func TestEndlessListFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	w.pod(1, "n0")
	stop := w.answerLists(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		writeFrame(rw, `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"2","continue":"again"},"items":[]}`)
	})
	reflector, rec := w.start(setup{})
	eventually(t, "a failed list", func() bool { return errors.Is(reflector.Status().Err, errPaginationLoop) })
	if _, err := reflector.ListMetadata(t.Context(), func(Object) {}); !errors.Is(err, errPaginationLoop) {
		t.Errorf("ListMetadata returned %v, want %v", err, errPaginationLoop)
	}
	stop()
	w.converge(rec, "a list that ends")
}

func TestSilentListTimesOut(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{"no answer": "", "half of an answer": `{"kind":"PodList","apiVersion":"v1","items":[`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{NoWatchList: true})
			w.pod(1, "n0")
			stop := w.answerLists(func(rw http.ResponseWriter, r *http.Request) {
				if begin != "" {
					rw.Header().Set("Content-Type", "application/json")
					writeFrame(rw, begin)
				}
				<-r.Context().Done()
			})
			reflector, rec := w.reflector(setup{})
			reflector.IdleTimeout = 300 * time.Millisecond
			w.run(reflector)
			eventually(t, "a list that has timed out", func() bool { return errors.Is(reflector.Status().Err, errIdleTimeout) })
			if _, err := reflector.ListMetadata(t.Context(), func(Object) {}); !errors.Is(err, errIdleTimeout) {
				t.Errorf("ListMetadata returned %v, want %v", err, errIdleTimeout)
			}
			stop()
			w.converge(rec, "a list that is answered")
		})
	}
}

func TestOverdueWatchIsEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	reflector, rec := w.reflector(setup{})
	reflector.IdleTimeout, reflector.minWatch = 2*time.Second, 0
	w.answerFirstWatch(func(rw http.ResponseWriter, r *http.Request) {
		rw.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(rw).Flush()
		<-r.Context().Done()
	})
	w.run(reflector)
	w.pod(1, "n0")
	w.converge(rec, "an event of the next watch")
}

func TestServerVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{BookmarkInterval: 10 * time.Millisecond})
	w.pod(1, "n0")
	reflector, _ := w.start(setup{})
	eventually(t, "the version of the list", func() bool { return reflector.ServerVersion() == w.cluster.ResourceVersion() })
	w.pod(2, "n0")
	eventually(t, "the version of the bookmark", func() bool { return reflector.ServerVersion() == w.cluster.ResourceVersion() })
}
