package watch

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/wire"
)

// undecodablePod is a pod whose metadata cannot be decoded.
const undecodablePod = `{"metadata":{"name":"\x","namespace":"default","resourceVersion":"3"}}`

// countWatches counts lists and watches. The first watch that is not a streamed list is answered by first.
func (w *world) countWatches(first func(rw http.ResponseWriter, r *http.Request)) (lists, watches *atomic.Int32) {
	lists, watches = new(atomic.Int32), new(atomic.Int32)
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		switch query := r.URL.Query(); {
		case query.Get("watch") == "":
			lists.Add(1)
		case query.Get("sendInitialEvents") == "" && watches.Add(1) == 1:
			first(rw, r)
			return true
		}
		return false
	})
	return lists, watches
}

func TestUndecodableFrameDoesNotEndTheWatch(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]string{
		"identity":  `{"type":"MODIFIED","object":` + undecodablePod + `}`,
		"no object": `{"type":"DELETED","object":[1]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{NoWatchList: true})
			w.pod(1, "n0")
			good := fmt.Sprintf(`{"type":"ADDED","object":{"metadata":{"name":"p2","namespace":"default","uid":%q,"resourceVersion":"4"},"spec":{"nodeName":"n1"}}}`, uid(2))
			lists, watches := w.countWatches(func(rw http.ResponseWriter, r *http.Request) {
				writeFrame(rw, bad)
				writeFrame(rw, good)
				<-r.Context().Done()
			})
			_, rec := w.start(setup{json: true})
			eventually(t, "the event after the frame", func() bool { return rec.snapshot()[string(uid(2))] == "n1" })
			if l, n := lists.Load(), watches.Load(); l != 1 || n != 1 {
				t.Errorf("got %d lists and %d watches, want one of each", l, n)
			}
			if n := w.value("statefleet_watch_decode_errors_total", nil); n != 1 {
				t.Errorf("statefleet_watch_decode_errors_total is %v, want 1", n)
			}
		})
	}
}

// TestUndecodableFramesCauseOneRelist checks that an undecodable frame, which may have been a
// deletion, causes a list, but that many frames of the same object do not cause many lists.
func TestUndecodableFramesCauseOneRelist(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	w.pod(1, "n0")
	w.pod(2, "n0")
	bad := `{"type":"MODIFIED","object":` + undecodablePod + `}`
	removed := make(chan struct{})
	lists, watches := w.countWatches(func(rw http.ResponseWriter, r *http.Request) {
		w.removePod(2) // the event of the frame
		close(removed)
		for r.Context().Err() == nil {
			writeFrame(rw, bad)
			time.Sleep(time.Millisecond)
		}
	})
	reflector, rec := w.reflector(setup{json: true})
	reflector.relistAfter = 20 * time.Millisecond
	w.run(reflector)
	<-removed
	w.converge(rec, "another list")
	eventually(t, "another watch", func() bool { return watches.Load() == 2 })
	if n := lists.Load(); n != 2 {
		t.Errorf("got %d lists, want 2", n)
	}
	timer := func() *time.Timer {
		reflector.skipFrame(wire.ErrFrame, false)
		reflector.mu.Lock()
		defer reflector.mu.Unlock()
		return reflector.relist
	}
	if first := timer(); timer() != first {
		t.Error("a second frame schedules another list")
	}
	reflector.mu.Lock()
	defer reflector.mu.Unlock()
	if reflector.relist == nil || !reflector.complete {
		t.Error("the next list is not scheduled, or not delayed")
	}
	if wait := reflector.untilRelist(reflector.relisted.Add(time.Minute)); wait != relistEvery-time.Minute {
		t.Errorf("a minute after a list, the next one is due in %s, want %s", wait, relistEvery-time.Minute)
	}
}

func TestUndecodableObjectIsLeftOutOfListMetadata(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	var mu sync.Mutex
	w := newWorld(t, simulator.Options{NoWatchList: true})
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("sendInitialEvents") != "" {
			return false
		}
		if r.URL.Query().Get("watch") != "" {
			<-r.Context().Done()
			return true
		}
		rw.Header().Set("Content-Type", "application/json")
		writeFrame(rw, `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[`+undecodablePod+
			fmt.Sprintf(`,{"metadata":{"name":"p1","namespace":"default","uid":%q,"resourceVersion":"4"},"spec":{"nodeName":"n0"}}]}`, uid(1)))
		return true
	})
	reflector, rec := w.reflector(setup{json: true})
	reflector.logger = slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, nil))
	w.run(reflector)
	eventually(t, "the list", func() bool { return rec.snapshot()[string(uid(1))] == "n0" })
	for range 3 {
		var names []string
		if _, err := reflector.ListMetadata(t.Context(), func(o Object) { names = append(names, string(o.Name)) }); err != nil || fmt.Sprint(names) != "[p1]" {
			t.Errorf("ListMetadata visited %v with error %v, want p1 only", names, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if n := strings.Count(log.String(), "cannot decode"); n != 1 {
		t.Errorf("logged %d times, want once:\n%s", n, &log)
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	b  *strings.Builder
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

// nameRecorder is a Handler that records the names of the objects.
type nameRecorder struct {
	mu    sync.Mutex
	names []string
}

func (s *nameRecorder) Owns(uint64, []byte) bool { return true }

func (s *nameRecorder) Put(o Object) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names = append(s.names, string(o.Name))
	return true
}

func (s *nameRecorder) Delete(Object)               {}
func (s *nameRecorder) Replace([]ObjectRef, string) {}

func (s *nameRecorder) has(names ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.names, " ") == strings.Join(names, " ")
}

// TestDeepObjectDelaysNoOther covers deep custom resources. API servers limit only their size.
func TestDeepObjectDelaysNoOther(t *testing.T) {
	t.Parallel()
	for _, depth := range []int{1_200, 100_000} {
		object := func(name string, depth int) string {
			return fmt.Sprintf(`{"spec":%s1%s,"metadata":{"name":%q,"namespace":"default","uid":"u-%s","resourceVersion":"5"}}`,
				strings.Repeat(`{"a":`, depth), strings.Repeat("}", depth), name, name)
		}
		w := newWorld(t, simulator.Options{NoWatchList: true})
		var watches atomic.Int32
		w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
			if r.URL.Query().Get("sendInitialEvents") != "" {
				return false
			}
			rw.Header().Set("Content-Type", "application/json")
			if r.URL.Query().Get("watch") == "" {
				writeFrame(rw, `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[`+object("a", depth)+","+object("b", 1)+`]}`)
				return true
			}
			if watches.Add(1) == 1 {
				writeFrame(rw, `{"type":"MODIFIED","object":`+object("c", depth)+`}`)
				writeFrame(rw, `{"type":"MODIFIED","object":`+object("d", 1)+`}`)
			}
			<-r.Context().Done()
			return true
		})
		reflector, _ := w.reflector(setup{json: true})
		names := &nameRecorder{}
		reflector.Handler = names
		w.run(reflector)
		eventually(t, "all objects", func() bool { return names.has("a", "b", "c", "d") })
		if _, err := reflector.ListMetadata(t.Context(), func(Object) {}); err != nil {
			t.Errorf("%d levels: ListMetadata returned %v, want no error", depth, err)
		}
		if n, bad := watches.Load(), w.value("statefleet_watch_decode_errors_total", nil); n != 1 || bad != 0 {
			t.Errorf("%d levels: got %d watches and %v undecodable objects, want 1 and none", depth, n, bad)
		}
	}
}
