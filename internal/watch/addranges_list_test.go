package watch

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// follow waits until the list is complete and the watch has brought something.
func (w *world) follow(t *testing.T, g *growing, pods int) {
	t.Helper()
	w.convergeHeld(t, g, "the list")
	eventually(t, "synced", func() bool { return g.Status().Phase == Synced })
	for i := range pods {
		w.pod(i, "n1")
	}
	w.convergeHeld(t, g, "updates")
}

// room sets how many objects the Handler has room for.
func (r *recorder) room(most int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.most = most
}

// holdsEnd answers a list but for its last byte, which comes once it may.
func (w *world) holdsEnd(rw http.ResponseWriter, r *http.Request, begun chan<- struct{}, may <-chan struct{}) {
	answer := httptest.NewRecorder()
	w.cluster.Handler().ServeHTTP(answer, r)
	maps.Copy(rw.Header(), answer.Header())
	body := answer.Body.Bytes()
	_, _ = rw.Write(body[:len(body)-1])
	_ = http.NewResponseController(rw).Flush()
	close(begun)
	await(r, may)
	_, _ = rw.Write(body[len(body)-1:])
}

// await has a request wait.
func await(r *http.Request, may <-chan struct{}) {
	select {
	case <-may:
	case <-r.Context().Done():
	}
}

// TestAcquireGivesWayToAList: the list finds no room for what is gained, names none of it, and would take away what
// is put once there is room.
func TestAcquireGivesWayToAList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{NoWatchList: true})
	for i := range 60 {
		w.pod(i, "n0")
	}
	g, gained := w.grow(t)
	w.follow(t, g, 60)
	before := g.rec.snapshot()
	g.rec.room(len(before))
	puts := func() int { return g.rec.count(func(r *recorder) int { return r.puts }) }
	var came int // until the list

	asked, list, listed, end := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
	w.setBend(func(rw http.ResponseWriter, r *http.Request) bool {
		switch q := r.URL.Query(); {
		case q.Get("watch") != "":
			return false
		case q.Get("shardSelector") == gained.Selector():
			close(asked)
			await(r, list)
			return false
		}
		w.holdsEnd(rw, r, listed, end)
		return true
	})
	acquired := make(chan error, 1)
	gain := g.widen(gained)
	go func() { acquired <- g.AddRanges(t.Context(), gain) }()
	<-asked
	came = puts()
	if err := w.cluster.Put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "other"}}); err != nil { // a version that the watch does not know
		t.Fatal(err)
	}
	w.cluster.Compact()
	w.cluster.CloseWatches()
	<-listed
	eventually(t, "objects without room", func() bool { return puts()-came >= len(w.held(g)) })
	g.rec.room(0)
	close(list)
	if err := <-acquired; !errors.Is(err, ErrNotSynced) {
		t.Errorf("got %v", err)
	}
	close(end)
	eventually(t, "the list", func() bool { return g.rec.count(func(r *recorder) int { return r.retains }) == 2 })
	if now := g.rec.snapshot(); !maps.Equal(now, before) || puts()-came > len(w.held(g))+1 { // a frame may come again
		t.Errorf("%d objects are held and %d came, want the %d of before and those of the list", len(now), puts()-came, len(before))
	}
}
