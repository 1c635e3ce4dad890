package replica

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestByteLimit: what is held stays within the limit, is the same after a list, and
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
	leftOut := func() float64 { return r.value("statefleet_objects_processed_total", "outcome", "over_limit") }
	if n := leftOut(); n < float64(30-len(held)) {
		t.Errorf("%v objects counted over the limit, %d are held", n, len(held))
	}

	before := leftOut()
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

// TestWhoWasThereFirstStays: what is held when a limit is reached stays with a list that
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
			leftOut := func() float64 { return r.value("statefleet_objects_processed_total", "outcome", "over_limit") }
			for i := range 50 {
				w.put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "crowded", Name: fmt.Sprintf("p%d", i), UID: uid(100 + i)}})
			}
			eventually(t, "the crowd", func() bool { return leftOut()+float64(len(podsOn(r.samples()))) == 55 })
			before := leftOut()
			w.put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "crowded", Name: "other"}}) // a version that the watch does not know
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
