package watch

import (
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"weak"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/wire"
)

// reading returns the watch that is read, and what it reads from, without keeping that.
func (s *Source) reading() (*stream, weak.Pointer[frames]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream == nil {
		return nil, weak.Pointer[frames]{}
	}
	return s.stream, weak.Make(s.stream.open.Load())
}

// client-go keeps the watch that streamed its list beside the one that it reads.
func TestEndedWatchKeepsNoBuffer(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world, d *stream){
		"by the API server": func(w *world, _ *stream) { w.cluster.CloseWatches() },
		"cut":               func(_ *world, d *stream) { d.cut() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, simulator.Options{})
			var lists atomic.Int32
			w.setBend(func(_ http.ResponseWriter, r *http.Request) bool {
				if r.URL.Query().Get("sendInitialEvents") != "" {
					lists.Add(1)
				}
				return false
			})
			w.pod(0, "n0")
			source, rec := w.start(setup{})
			w.converge(rec, "the list")
			eventually(t, "synced", func() bool { return source.Status().Phase == Synced })
			w.pod(0, "n1") // client-go lists anew after a short watch that brought nothing
			w.converge(rec, "an event")

			first, buffer := source.reading()
			end(w, first)
			eventually(t, "another watch", func() bool {
				next, _ := source.reading()
				return next != first
			})
			w.pod(0, "n2")
			w.converge(rec, "an event of the other watch")
			eventually(t, "what the first watch read from is garbage", func() bool {
				runtime.GC()
				return buffer.Value() == nil
			})
			if n := lists.Load(); n != 1 {
				t.Errorf("%d lists, with the second of which the first watch goes anyhow", n)
			}
			runtime.KeepAlive(first)
		})
	}
}

// Close may come between two reads, and what is read next is the end.
func TestDecodeAfterCloseEnds(t *testing.T) {
	t.Parallel()
	source, _ := newWorld(t, simulator.Options{}).source(setup{})
	d := &stream{source: source, ctx: t.Context(), cancel: func() {}, release: func() {}}
	d.open.Store(&frames{wire.NewEventReader(strings.NewReader("not read")), io.NopCloser(nil)})
	d.Close()
	if _, _, err := d.Decode(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}
