package replica

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/store"
)

func TestLimits(t *testing.T) {
	lines := func(bytes int, omitted ...int) *resources.Lines {
		return &resources.Lines{Buf: make([]byte, bytes), Omitted: omitted}
	}
	held := func(objects int, bytes int64) store.Stats {
		return store.Stats{Objects: objects - 1, HiddenObjects: 1, HeldTextBytes: bytes}
	}
	none, objects, bytes := limits{object: 100}, limits{object: 100, objects: 5}, limits{object: 100, bytes: 50}
	for _, c := range []struct {
		what      string
		got, want bool
	}{
		{"no limit", none.any(), false},
		{"a limit of objects", objects.any(), true},
		{"a limit of bytes", bytes.any(), true},
		{"omitted families, no limit of bytes", objects.tooLarge(lines(10, 1)), false},
		{"omitted families, a limit of bytes", bytes.tooLarge(lines(10, 1)), true},
		{"no omitted families", bytes.tooLarge(lines(10)), false},
		{"omitted families, as large as one object may be", limits{object: 100, bytes: 100}.tooLarge(lines(10, 1)), false},
		{"fits without a limit", objects.fits(held(9, 1000), lines(1000)), true},
		{"fits exactly", bytes.fits(held(9, 40), lines(10)), true},
		{"does not fit", bytes.fits(held(9, 40), lines(11)), false},
		{"one object is left", objects.full(held(4, 1000)), false},
		{"no object is left", objects.full(held(5, 0)), true},
		{"one byte is left", bytes.full(held(9, 49)), false},
		{"no byte is left", bytes.full(held(9, 50)), true},
		{"only objects are limited", objects.objectsOnly(held(9, 1000)), true},
		{"one byte is left beside objects", bytes.objectsOnly(held(9, 49)), true},
		{"no byte is left beside objects", bytes.objectsOnly(held(9, 50)), false},
		{"as much as the limit", bytes.exceeded(held(1, 40), held(1, 50)), false},
		{"more than the limit", bytes.exceeded(held(1, 40), held(1, 51)), true},
		{"more than the limit, and not more than before", bytes.exceeded(held(1, 51), held(1, 51)), false},
		{"grown without a limit", objects.exceeded(held(1, 51), held(1, 1000)), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %t, want %t", c.what, c.got, c.want)
		}
	}
	for l, want := range map[limits]int64{none: 100, bytes: 50, {object: 100, bytes: 200}: 100} {
		if got := l.text(); got != want {
			t.Errorf("%+v: text() = %d, want %d", l, got, want)
		}
	}
}

func TestSmallestRejectedSizeIsKept(t *testing.T) {
	h := &handler{kind: newWorld(t).start(podsOnly).current()[0]}
	for _, c := range []struct{ size, want int64 }{{30, 30}, {20, 20}, {25, 20}} {
		h.reject(watch.Object{}, store.ID{}, c.size)
		if got := h.kind.rejected[0].Load(); got != c.want {
			t.Errorf("got size %d after an object of %d bytes, want %d", got, c.size, c.want)
		}
	}
	if h.completedAt(1); h.kind.rejected[0].Load() != 0 {
		t.Errorf("got size %d after a list, want 0", h.kind.rejected[0].Load())
	}
}

// TestByteLimit checks that held objects stay within the limit, are the same after a list, and are
// still updated. An object that grows too large is left out until it fits.
func TestByteLimit(t *testing.T) {
	const limit = 10_000
	w := newWorld(t)
	for i := range 30 {
		w.pod(i, "n0")
	}
	r := w.start(func(o *Options) {
		o.ByteLimit = limit
		podsOnly(o)
	})
	r.assign(0, 1)
	r.waitReady()
	held := podsIn(r.samples())
	if text := r.value("statefleet_store_text_bytes", "resource", "pods"); text > limit || text < limit/2 || len(held) == 0 || len(held) == 30 {
		t.Fatalf("%d pods with %v bytes, want some of 30 pods with %d bytes at most", len(held), text, limit)
	}
	leftOut := func() float64 { return r.value("statefleet_updates_total", "result", "over_limit") }
	if n := leftOut(); n < float64(30-len(held)) {
		t.Errorf("%v versions are counted over the limit and %d of 30 pods are held, want all others counted", n, len(held))
	}

	before := leftOut()
	w.put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "other"}}) // a version that the watch has not received
	w.cluster.Compact()
	w.cluster.CloseWatches()
	eventually(t, "another list", func() bool { return leftOut() > before })
	if now := podsIn(r.samples()); !maps.Equal(now, held) {
		t.Errorf("got pods %v after another list, want %v", now, held)
	}

	var first int
	for held[string(uid(first))] == false {
		first++
	}
	image := func(bytes int) {
		w.put(&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: fmt.Sprintf("ns%d", first%3), Name: fmt.Sprintf("p%d", first), UID: uid(first)},
			Spec:       corev1.PodSpec{NodeName: "n0", Containers: []corev1.Container{{Name: "c"}}},
			Status:     corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "c", Image: strings.Repeat("x", bytes)}}},
		})
	}
	visible := func() bool { return podsIn(r.samples())[string(uid(first))] }
	image(limit)
	eventually(t, "the removal of the pod that exceeds the limit", func() bool { return !visible() })
	if now := podsIn(r.samples()); len(now) < len(held)-1 {
		t.Errorf("other pods were removed as well: %v left of %v", now, held)
	}
	if text := r.value("statefleet_store_text_bytes", "resource", "pods"); text > limit {
		t.Errorf("statefleet_store_text_bytes is %v, want %d at most", text, limit)
	}
	w.pod(first, "n0")
	eventually(t, "the pod that fits again", func() bool { return visible() })
}

// TestHeldObjectsStayAtTheLimit checks that held objects stay when a list names other objects
// before them, and that the names of left-out objects are not kept.
func TestHeldObjectsStayAtTheLimit(t *testing.T) {
	for name, limit := range map[string]func(o *Options){
		"objects": func(o *Options) { o.ObjectLimit = 15 },
		"bytes":   func(o *Options) { o.ByteLimit = 10_000 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for i := range 5 {
				w.pod(i, "n0")
			}
			r := w.start(func(o *Options) {
				limit(o)
				podsOnly(o)
			})
			r.assign(0, 1)
			r.waitReady()
			first := podsIn(r.samples())
			leftOut := func() float64 { return r.value("statefleet_updates_total", "result", "over_limit") }
			for i := range 50 {
				w.put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "many-objects", Name: fmt.Sprintf("p%d", i), UID: uid(100 + i)}})
			}
			eventually(t, "all further pods are left out", func() bool { return leftOut()+float64(len(podsIn(r.samples()))) == 55 })
			before := leftOut()
			w.put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "many-objects", Name: "other"}}) // a version that the watch has not received
			w.cluster.Compact()
			w.cluster.CloseWatches()
			w.pod(0, "n1")
			eventually(t, "a list and an event after it", func() bool { return leftOut() > before && r.podsRunOn("n1") })
			now := podsIn(r.samples())
			for uid := range first {
				if !now[uid] {
					t.Errorf("pod %s was removed", uid)
				}
			}
			pods := r.current()[0]
			pods.names.mu.Lock()
			defer pods.names.mu.Unlock()
			if names := len(pods.names.byHash); names > len(now) {
				t.Errorf("%d names are kept, want %d at most", names, len(now))
			}
		})
	}
}

// TestReplacementIsAcceptedAtTheLimit checks that an object is accepted at the limit if it replaces
// another one with its name.
func TestReplacementIsAcceptedAtTheLimit(t *testing.T) {
	const pods = 10
	for name, c := range map[string]struct {
		hold   time.Duration
		missed bool // the watch misses the change, and a list has it
	}{
		"in a list":                 {missed: true},
		"while the old one is held": {hold: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for i := range pods {
				w.pod(i, "n0")
			}
			r := w.start(func(o *Options) {
				o.ObjectLimit, o.HoldDeleted = pods, c.hold
				podsOnly(o)
			})
			r.assign(0, 1)
			r.waitReady()
			if c.missed {
				w.intercept(func(rw http.ResponseWriter, _ *http.Request) bool {
					http.Error(rw, "unavailable", http.StatusServiceUnavailable)
					return true
				})
				w.cluster.CloseWatches()
			}
			w.pod(3, "n1") // a state that was never scraped
			w.removePod(3)
			w.put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns0", Name: "p3", UID: uid(100)}, Spec: corev1.PodSpec{NodeName: "n0"}})
			if c.missed {
				w.cluster.Compact()
				w.intercept(nil)
			}
			eventually(t, "the new pod", func() bool { return podsIn(r.samples())[string(uid(100))] })
			if now := podsIn(r.samples()); len(now) != pods || now[string(uid(3))] {
				t.Errorf("got %d pods, want %d without the deleted one: %v", len(now), pods, now)
			}
		})
	}
}

// TestReflectorsDoNotShareRejections checks that with one Reflector per namespace, a rejected
// object of one namespace does not count as rejected by the other Reflector.
func TestReflectorsDoNotShareRejections(t *testing.T) {
	pods := func(limit int64) (*kind, []*handler, func(source, version int)) {
		w := newWorld(t)
		r := w.start(func(o *Options) {
			o.ByteLimit, o.Namespaces = limit, []string{"ns0", "ns1"}
			podsOnly(o)
		})
		k := r.current()[0]
		handlers := []*handler{{kind: k}, {kind: k, source: 1}}
		return k, handlers, func(source, version int) {
			pod := fmt.Sprintf(`{"metadata":{"namespace":"ns%d","name":"p","uid":%q},"spec":{"nodeName":"n%d"}}`, source, uid(source), version%2)
			meta := wire.Meta{
				UID: []byte(uid(source)), Namespace: fmt.Appendf(nil, "ns%d", source), Name: []byte("p"), ResourceVersion: fmt.Append(nil, version),
			}
			handlers[source].Put(watch.Object{Meta: meta, Raw: []byte(pod), Encoding: wire.JSON})
		}
	}
	k, _, put := pods(0)
	put(0, 1)
	size := k.store.Stats().HeldTextBytes

	k, handlers, put := pods(size + size/2)
	put(0, 1)
	var sources sync.WaitGroup
	for source := range 2 {
		sources.Go(func() {
			for version := range 3000 {
				put(source, version+2)
			}
		})
	}
	sources.Wait()
	if handlers[0].rejectedSinceList || !handlers[1].rejectedSinceList {
		t.Errorf("rejectedSinceList is %t for the first Reflector and %t for the second, want false and true", handlers[0].rejectedSinceList, handlers[1].rejectedSinceList)
	}
	if held := k.store.Stats().HeldTextBytes; held > size+size/2 {
		t.Errorf("%d bytes are held, want %d at most", held, size+size/2)
	}
}

func TestObjectLimit(t *testing.T) {
	w := newWorld(t)
	for i := range 30 {
		w.pod(i, "n0")
	}
	r := w.start(func(o *Options) {
		o.ObjectLimit = 10
		podsOnly(o)
	})
	r.assign(0, 1)
	r.waitReady()
	if got := len(podsIn(r.samples())); got != 10 {
		t.Errorf("got %d pods, want 10", got)
	}
	if v := r.value("statefleet_updates_total", "result", "over_limit"); v < 20 {
		t.Errorf("%v versions are counted over the limit, want 20 or more", v)
	}
}

// TestLimitReachedMetric checks that statefleet_limit_reached is 1 while either limit leaves no
// room, and 0 without limits.
func TestLimitReachedMetric(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit func(o *Options)
		want  float64
	}{
		{"none", func(*Options) {}, 0},
		{"objects", func(o *Options) { o.ObjectLimit = 10 }, 1},
		{"bytes", func(o *Options) { o.ByteLimit = 10_000 }, 1},
		{"with room", func(o *Options) { o.ObjectLimit, o.ByteLimit = 1000, 10_000_000 }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			for i := range 30 {
				w.pod(i, "n0")
			}
			r := w.start(func(o *Options) {
				c.limit(o)
				podsOnly(o)
			})
			r.assign(0, 1)
			r.waitReady()
			reached := func() float64 { return r.value("statefleet_limit_reached", "resource", "pods") }
			if got := reached(); got != c.want {
				t.Errorf("statefleet_limit_reached is %v, want %v", got, c.want)
			}
			for i := range 30 {
				w.removePod(i)
			}
			eventually(t, "room", func() bool { return reached() == 0 })
		})
	}
}

// TestLimitIsReachedByAnObjectThatHasGrown checks an object whose growth is small beside the room
// that it leaves when it is rejected.
func TestLimitIsReachedByAnObjectThatHasGrown(t *testing.T) {
	pod := func(w *world, i, image int) {
		w.put(&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: fmt.Sprintf("p%d", i), UID: uid(i)},
			Spec:       corev1.PodSpec{NodeName: "n0", Containers: []corev1.Container{{Name: "c"}}},
			Status:     corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "c", Image: strings.Repeat("x", image)}}},
		})
	}
	start := func(limit int64) (*world, *run) {
		w := newWorld(t)
		pod(w, 0, 8000)
		pod(w, 1, 8000)
		r := w.start(func(o *Options) {
			o.ByteLimit = limit
			podsOnly(o)
		})
		r.assign(0, 1)
		r.waitReady()
		return w, r
	}
	_, r := start(0)
	limit := r.value("statefleet_store_text_bytes", "resource", "pods") + 100
	w, r := start(int64(limit))
	if n := len(podsIn(r.samples())); n != 2 {
		t.Fatalf("%d pods fit, want 2", n)
	}
	pod(w, 1, 9000)
	eventually(t, "one pod", func() bool { return len(podsIn(r.samples())) == 1 })
	if r.value("statefleet_limit_reached", "resource", "pods") != 1 {
		t.Error("statefleet_limit_reached is not 1 although a pod is left out")
	}
}
