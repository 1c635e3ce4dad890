package watch

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/shard"
)

// waitForUpdates waits until the list is complete and the watch has received an event of each pod.
func (w *world) waitForUpdates(t *testing.T, g *growingReflector, pods int) {
	t.Helper()
	w.convergeHeld(t, g, "the list")
	eventually(t, "synced", func() bool { return g.Status().Phase == Synced })
	for i := range pods {
		w.pod(i, "n1")
	}
	w.convergeHeld(t, g, "updates")
}

// setCapacity sets how many objects the Handler accepts; 0 means any number.
func (r *recorder) setCapacity(capacity int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.capacity = capacity
}

// withholdEnd answers a list, and sends the last byte only after proceed is closed.
func (w *world) withholdEnd(rw http.ResponseWriter, r *http.Request, begun chan<- struct{}, proceed <-chan struct{}) {
	answer := httptest.NewRecorder()
	w.cluster.Handler().ServeHTTP(answer, r)
	maps.Copy(rw.Header(), answer.Header())
	body := answer.Body.Bytes()
	_, _ = rw.Write(body[:len(body)-1])
	_ = http.NewResponseController(rw).Flush()
	close(begun)
	await(r, proceed)
	_, _ = rw.Write(body[len(body)-1:])
}

// await waits until proceed is closed or the request ends.
func await(r *http.Request, proceed <-chan struct{}) {
	select {
	case <-proceed:
	case <-r.Context().Done():
	}
}

// TestAddRangesEndsWhenAListBegins covers a list of Run whose added objects the Handler has rejected.
// The end of that list would remove them if AddRanges put them once there is room.
func TestAddRangesEndsWhenAListBegins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	for i := range 60 {
		w.pod(i, "n0")
	}
	g, added := w.grow(t)
	w.waitForUpdates(t, g, 60)
	before := g.rec.snapshot()
	g.rec.setCapacity(len(before))
	puts := func() int { return g.rec.count(func(r *recorder) int { return r.puts }) }
	var putsBefore int // before the list

	requested, list, listed, end := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		switch q := r.URL.Query(); {
		case q.Get("watch") != "":
			return false
		case q.Get("shardSelector") == added.Selector():
			close(requested)
			await(r, list)
			return false
		}
		w.withholdEnd(rw, r, listed, end)
		return true
	})
	done := make(chan error, 1)
	add := g.widen(added)
	go func() { done <- g.AddRanges(t.Context(), add) }()
	<-requested
	putsBefore = puts()
	if err := w.cluster.Put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "other"}}); err != nil { // a version that the watch has not received
		t.Fatal(err)
	}
	w.cluster.Compact()
	w.cluster.CloseWatches()
	<-listed
	eventually(t, "the rejected objects", func() bool { return puts()-putsBefore >= len(w.held(g)) })
	g.rec.setCapacity(0)
	close(list)
	if err := <-done; !errors.Is(err, ErrNotSynced) {
		t.Errorf("got error %v, want %v", err, ErrNotSynced)
	}
	close(end)
	eventually(t, "the list", func() bool { return g.rec.count(func(r *recorder) int { return r.replaces }) == 2 })
	if now := g.rec.snapshot(); !maps.Equal(now, before) || puts()-putsBefore > len(w.held(g))+1 { // a frame may be repeated
		t.Errorf("%d objects are held and %d were put, want the same %d held as before, and only those of the list put", len(now), puts()-putsBefore, len(before))
	}
}

// TestAddRangesEndsWhenAListHasCompleted covers a list of Run that begins and ends while a page of
// the addition is on its way. The page is older than the list, so it names objects that the list
// has removed, and no event removes them again.
func TestAddRangesEndsWhenAListHasCompleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	for i := range 60 {
		w.pod(i, "n0")
	}
	g, added := w.grow(t)
	w.waitForUpdates(t, g, 60)
	watched, gone, listed, proceed := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
	var closed atomic.Bool // the watch was ended, and has not been requested again
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		switch q := r.URL.Query(); {
		case q.Get("sendInitialEvents") != "":
		case q.Get("watch") != "" && closed.CompareAndSwap(true, false):
			close(watched)
			await(r, gone)
			answer(rw, http.StatusGone, "Expired", "too old resource version")
			return true
		case q.Get("shardSelector") == added.Selector():
			page := httptest.NewRecorder()
			w.cluster.Handler().ServeHTTP(page, r)
			close(listed)
			await(r, proceed)
			maps.Copy(rw.Header(), page.Header())
			_, _ = rw.Write(page.Body.Bytes())
			return true
		}
		return false
	})
	done := make(chan error, 1)
	add := g.widen(added)
	go func() { done <- g.AddRanges(t.Context(), add) }()
	<-listed
	closed.Store(true)
	w.cluster.CloseWatches()
	<-watched
	for i := range 30 {
		w.removePod(i)
	}
	close(gone)
	w.convergeHeld(t, g, "the list")
	eventually(t, "the end of the list", func() bool { return g.rec.count(func(r *recorder) int { return r.replaces }) == 2 })
	close(proceed)
	if err := <-done; err != nil {
		t.Errorf("got error %v although everything was listed", err)
	}
	if got, want := g.rec.snapshot(), w.held(g); !maps.Equal(got, want) {
		t.Errorf("%d objects are held, want %d", len(got), len(want))
	}
}

// TestAddRangesEndsWithRun covers a page of the addition that arrives after Run has returned.
func TestAddRangesEndsWithRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	w.pod(1, "n0")
	reflector, rec := w.reflector(setup{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		reflector.Run(ctx)
	}()
	w.converge(rec, "the list")
	eventually(t, "synced", func() bool { return reflector.Status().Phase == Synced })
	requested, proceed := make(chan struct{}), make(chan struct{})
	w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("watch") == "" {
			close(requested)
			await(r, proceed)
		}
		return false
	})
	done := make(chan error, 1)
	go func() { done <- reflector.AddRanges(t.Context(), RangeAddition{Contains: shard.All().Contains}) }()
	<-requested
	cancel()
	<-ended
	before := rec.count(func(r *recorder) int { return r.puts })
	close(proceed)
	if err := <-done; !errors.Is(err, ErrNotSynced) {
		t.Errorf("got error %v, want %v", err, ErrNotSynced)
	}
	if n := rec.count(func(r *recorder) int { return r.puts }) - before; n != 0 {
		t.Errorf("%d objects were put after Run has returned, want none", n)
	}
}
