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

// What follows are API servers that do what none should.

func TestWatchesThatEndAtOnceAreSpaced(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		l := limiter{start: wait.Backoff{Duration: time.Second / 2, Factor: 2, Steps: 1 << 20, Cap: 10 * time.Second}}
		start := time.Now()
		for range maxShort {
			l.wait(t.Context())
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("the first watches waited for %s", took)
		}
		for range 20 {
			l.wait(t.Context())
		}
		if took := time.Since(start); took < 2*time.Minute {
			t.Errorf("23 watches that ended at once in %s", took)
		}
		time.Sleep(minLifetime) // this one lasted
		again := time.Now()
		l.wait(t.Context())
		if took := time.Since(again); took > 0 {
			t.Errorf("after a watch that lasted, the next one waited for %s", took)
		}
		l.failed = true
		l.wait(t.Context())
		if took := time.Since(again); took != time.Second/2 {
			t.Errorf("after one that failed, the next one waited for %s", took)
		}
	})
}

// The list takes long, and each watch after it is answered with 410.
func TestListsBetweenWatchesThatExpireAreSpaced(t *testing.T) {
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
			t.Errorf("%d lists with pauses of %s in all", lists, pauses)
		}
	})
}

// watches has the first watch of a server without streamed lists answered by first.
func (w *world) watches(first func(rw http.ResponseWriter, r *http.Request)) (asked *[2]atomic.Value) {
	asked = new([2]atomic.Value)
	var n atomic.Int32
	w.setBend(func(rw http.ResponseWriter, r *http.Request) bool {
		query := r.URL.Query()
		if query.Get("watch") == "" || query.Get("sendInitialEvents") != "" {
			return false
		}
		i := n.Add(1) - 1
		if i < 2 {
			asked[i].Store(query.Get("resourceVersion"))
		}
		if i == 0 {
			first(rw, r)
		}
		return i == 0
	})
	return asked
}

func frame(rw http.ResponseWriter, text string) {
	_, _ = rw.Write([]byte(text + "\n"))
	_ = http.NewResponseController(rw).Flush()
}

func TestEventOfUnknownTypeIsNotLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	w.pod(1, "n0")
	w.watches(func(rw http.ResponseWriter, r *http.Request) {
		w.pod(2, "n1") // whose frame is garbled; the watch goes on
		frame(rw, `{"type":"ADDEE","object":{"metadata":{"name":"p2","namespace":"default","resourceVersion":"3"}}}`)
		<-r.Context().Done()
	})
	_, rec := w.start(setup{})
	eventually(t, "the event", func() bool { return rec.snapshot()[string(uid(2))] == "n1" })
}

// The end of a streamed list that comes twice must not have the watch wait for a second list.
func TestListThatEndsTwiceIsFollowed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.setBend(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("sendInitialEvents") == "" {
			return false
		}
		rw.Header().Set("Content-Type", "application/json")
		end := `{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"1","annotations":{"k8s.io/initial-events-end":"true"}}}}`
		frame(rw, end)
		frame(rw, end)
		frame(rw, `{"type":"ADDED","object":{"metadata":{"name":"p1","namespace":"default","uid":"`+string(uid(1))+`","resourceVersion":"2"},"spec":{"nodeName":"n0"}}}`)
		<-r.Context().Done()
		return true
	})
	_, rec := w.start(setup{})
	eventually(t, "the event", func() bool { return rec.snapshot()[string(uid(1))] == "n0" })
}

func TestVersionThatNoServerKnowsIsForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	w.pod(1, "n0")
	asked := w.watches(func(rw http.ResponseWriter, _ *http.Request) {
		frame(rw, `{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"garbage"}}}`)
	})
	_, rec := w.start(setup{})
	eventually(t, "another watch", func() bool { return asked[1].Load() != nil })
	w.pod(2, "n1")
	w.converge(rec, "what came after the garbage")
}

func TestEventWithoutVersionDoesNotLoseTheWatchItsPlace(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"bookmark": `{"type":"BOOKMARK","object":{"metadata":{}}}`,
		"event":    `{"type":"MODIFIED","object":{"metadata":{"name":"p1","namespace":"default","uid":"` + string(uid(1)) + `"},"spec":{"nodeName":"n0"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{NoWatchList: true})
			w.pod(1, "n0")
			asked := w.watches(func(rw http.ResponseWriter, _ *http.Request) { frame(rw, text) })
			w.start(setup{})
			eventually(t, "another watch", func() bool { return asked[1].Load() != nil })
			if first, second := asked[0].Load(), asked[1].Load(); first != second {
				t.Errorf("asked for the watch from %v, and then from %v", first, second)
			}
		})
	}
}

// listsOddly has lists answered by a function until it is told to stop.
func (w *world) listsOddly(answer func(rw http.ResponseWriter, r *http.Request)) (stop func()) {
	var stopped atomic.Bool
	w.setBend(func(rw http.ResponseWriter, r *http.Request) bool {
		if stopped.Load() || r.URL.Query().Get("watch") != "" {
			return false
		}
		answer(rw, r)
		return true
	})
	return func() { stopped.Store(true) }
}

func TestListThatDoesNotEndIsGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	w.pod(1, "n0")
	stop := w.listsOddly(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		frame(rw, `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"2","continue":"again"},"items":[]}`)
	})
	reflector, rec := w.start(setup{})
	eventually(t, "the list is given up", func() bool { return errors.Is(reflector.Status().Err, errPaginationLoop) })
	if _, err := reflector.ListMetadata(t.Context(), func(Object) {}); !errors.Is(err, errPaginationLoop) {
		t.Errorf("Scan: %v", err)
	}
	stop()
	w.converge(rec, "a list that ends")
}

func TestSilentListIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]string{"no answer": "", "half of one": `{"kind":"PodList","apiVersion":"v1","items":[`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{NoWatchList: true})
			w.pod(1, "n0")
			stop := w.listsOddly(func(rw http.ResponseWriter, r *http.Request) {
				if begin != "" {
					rw.Header().Set("Content-Type", "application/json")
					frame(rw, begin)
				}
				<-r.Context().Done()
			})
			reflector, rec := w.reflector(setup{})
			reflector.IdleTimeout = 300 * time.Millisecond
			w.run(reflector)
			eventually(t, "the list is given up", func() bool { return errors.Is(reflector.Status().Err, errIdleTimeout) })
			if _, err := reflector.ListMetadata(t.Context(), func(Object) {}); !errors.Is(err, errIdleTimeout) {
				t.Errorf("Scan: %v", err)
			}
			stop()
			w.converge(rec, "a list that is answered")
		})
	}
}

func TestWatchThatOutlastsItsTimeIsEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	reflector, rec := w.reflector(setup{})
	reflector.IdleTimeout, reflector.minWatch = 2*time.Second, 0
	w.watches(func(rw http.ResponseWriter, r *http.Request) {
		rw.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(rw).Flush()
		<-r.Context().Done()
	})
	w.run(reflector)
	w.pod(1, "n0")
	w.converge(rec, "what the next watch brings")
}

func TestServerVersionIsTheNewestOfTheServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{BookmarkInterval: 10 * time.Millisecond})
	w.pod(1, "n0")
	reflector, _ := w.start(setup{})
	eventually(t, "the list's version", func() bool { return reflector.ServerVersion() == w.cluster.ResourceVersion() })
	w.pod(2, "n0")
	eventually(t, "the bookmark's", func() bool { return reflector.ServerVersion() == w.cluster.ResourceVersion() })
}
