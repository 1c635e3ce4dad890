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
