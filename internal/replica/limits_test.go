package replica

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/wire"
)

// TestByteLimit: held objects stay within the limit, are the same after a list, and
// goes on being updated; an object that grows too large is left out until it fits.
func TestByteLimit(t *testing.T) {
	const limit = 10_000
	w := newWorld(t)
	for i := range 30 {
		w.pod(i, "n0")
	}
	r := w.start(func(o *Options) {
		o.ByteLimit = limit
		o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return k.Name != "pods" })
	})
	r.assign(0, 1)
	r.waitReady()
	held := podsOn(r.samples())
	if text := r.value("statefleet_page_text_bytes", "resource", "pods"); text > limit || text < limit/2 || len(held) == 0 || len(held) == 30 {
		t.Fatalf("%d pods with %v bytes", len(held), text)
	}
	leftOut := func() float64 { return r.value("statefleet_updates_total", "result", "over_limit") }
	if n := leftOut(); n < float64(30-len(held)) {
		t.Errorf("%v objects counted over the limit, %d are held", n, len(held))
	}

	before := leftOut()
	w.put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "other"}}) // a version that the watch does not know
	w.cluster.Compact()
	w.cluster.CloseWatches()
	eventually(t, "another list", func() bool { return leftOut() > before })
	if now := podsOn(r.samples()); !maps.Equal(now, held) {
		t.Errorf("after another list %v, before %v", now, held)
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
	onPage := func() bool { return podsOn(r.samples())[string(uid(first))] }
	image(limit)
	eventually(t, "the pod that has grown to be left out", func() bool { return !onPage() })
	if now := podsOn(r.samples()); len(now) < len(held)-1 {
		t.Errorf("others have gone with it: %v of %v", now, held)
	}
	if text := r.value("statefleet_page_text_bytes", "resource", "pods"); text > limit {
		t.Errorf("%v bytes", text)
	}
	w.pod(first, "n0")
	eventually(t, "the pod that fits again", func() bool { return onPage() })
}

// TestWhoWasThereFirstStays: objects that are held when a limit is reached stay with a list that
// names others before it, and of those nothing is kept.
func TestWhoWasThereFirstStays(t *testing.T) {
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
				o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return k.Name != "pods" })
			})
			r.assign(0, 1)
			r.waitReady()
			first := podsOn(r.samples())
			leftOut := func() float64 { return r.value("statefleet_updates_total", "result", "over_limit") }
			for i := range 50 {
				w.put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "many-objects", Name: fmt.Sprintf("p%d", i), UID: uid(100 + i)}})
			}
			eventually(t, "the crowd", func() bool { return leftOut()+float64(len(podsOn(r.samples()))) == 55 })
			before := leftOut()
			w.put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "many-objects", Name: "other"}}) // a version that the watch does not know
			w.cluster.Compact()
			w.cluster.CloseWatches()
			w.pod(0, "n1")
			eventually(t, "a list and an event after it", func() bool { return leftOut() > before && r.podsRunOn("n1") })
			now := podsOn(r.samples())
			for uid := range first {
				if !now[uid] {
					t.Errorf("%s is gone", uid)
				}
			}
			pods := r.current()[0]
			pods.names.mu.Lock()
			defer pods.names.mu.Unlock()
			if names := len(pods.names.byHash); names > len(now) {
				t.Errorf("%d names are kept for %d objects", names, len(now))
			}
		})
	}
}

// An object takes the place of the one that had its name, which it must not be kept out by.
func TestNamesakeFindsRoomAtTheLimit(t *testing.T) {
	const pods = 10
	for name, c := range map[string]struct {
		hold   time.Duration
		missed bool // the watch misses the change, and a list brings it
	}{
		"in a list":              {missed: true},
		"while the old one held": {hold: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for i := range pods {
				w.pod(i, "n0")
			}
			r := w.start(func(o *Options) {
				o.ObjectLimit, o.HoldDeleted = pods, c.hold
				o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return k.Name != "pods" })
			})
			r.assign(0, 1)
			r.waitReady()
			if c.missed {
				away := func(rw http.ResponseWriter, _ *http.Request) bool {
					http.Error(rw, "away", http.StatusServiceUnavailable)
					return true
				}
				w.bend.Store(&away)
				w.cluster.CloseWatches()
			}
			w.pod(3, "n1") // a state that no page has shown yet
			w.removePod(3)
			w.put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns0", Name: "p3", UID: uid(100)}, Spec: corev1.PodSpec{NodeName: "n0"}})
			if c.missed {
				w.cluster.Compact()
				w.bend.Store(nil)
			}
			eventually(t, "the new one", func() bool { return podsOn(r.samples())[string(uid(100))] })
			if now := podsOn(r.samples()); len(now) != pods || now[string(uid(3))] {
				t.Errorf("%d pods, want %d without the one that was deleted: %v", len(now), pods, now)
			}
		})
	}
}

// TestOneSourcesGrowthIsNotAnothers: of two namespaces that are followed one by one, what comes of the one and finds no
// room must not make objects of the other count as too large.
func TestOneSourcesGrowthIsNotAnothers(t *testing.T) {
	pods := func(limit int64) (*kind, []*handler, func(source, version int)) {
		w := newWorld(t)
		r := w.start(func(o *Options) {
			o.ByteLimit, o.Namespaces = limit, []string{"ns0", "ns1"}
			o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return k.Name != "pods" })
		})
		k := r.current()[0]
		sinks := []*handler{{kind: k}, {kind: k, source: 1}}
		return k, sinks, func(source, version int) {
			pod := fmt.Sprintf(`{"metadata":{"namespace":"ns%d","name":"p","uid":%q},"spec":{"nodeName":"n%d"}}`, source, uid(source), version%2)
			meta := wire.Meta{
				UID: []byte(uid(source)), Namespace: fmt.Appendf(nil, "ns%d", source), Name: []byte("p"), ResourceVersion: fmt.Append(nil, version),
			}
			sinks[source].Put(watch.Object{Meta: meta, Raw: []byte(pod), Encoding: wire.JSON})
		}
	}
	k, _, put := pods(0)
	put(0, 1)
	size := k.store.Stats().HeldTextBytes

	k, sinks, put := pods(size + size/2)
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
	if sinks[0].rejectedSinceList || !sinks[1].rejectedSinceList {
		t.Errorf("left out: of the pod that was there first %t, of the other %t", sinks[0].rejectedSinceList, sinks[1].rejectedSinceList)
	}
	if held := k.store.Stats().HeldTextBytes; held > size+size/2 {
		t.Errorf("%d bytes are held, more than %d", held, size+size/2)
	}
}
