package watch

import (
	"maps"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

// TestListKeepsNoReferencesOfRejectedObjects checks that a list takes no memory for rejected objects,
// and that held objects stay although the list has others before them.
func TestListKeepsNoReferencesOfRejectedObjects(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]simulator.Options{"streamed list": {}, "paged list": {NoWatchList: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const most, all = 10, 1200 // more than two pages
			w := newWorld(t, o)
			for i := range most {
				w.pod(9990+i, "n0") // the last ones of a list
			}
			reflector, rec := w.reflector(setup{})
			rec.capacity = most
			w.run(reflector)
			w.converge(rec, "the list")
			held := maps.Clone(w.want)
			for i := range all {
				w.pod(i, "n0")
			}
			other := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "other"}}
			if err := w.cluster.Put(other); err != nil { // a version that the watch has not received
				t.Fatal(err)
			}
			w.cluster.Compact() // the watch cannot be resumed: 410 Gone
			before := rec.count(func(r *recorder) int { return r.replaces })
			w.cluster.CloseWatches()
			eventually(t, "another list", func() bool { return rec.count(func(r *recorder) int { return r.replaces }) > before })
			if n := rec.count(func(r *recorder) int { return r.lastRefs }); n != most {
				t.Errorf("the list has %d references, want %d", n, most)
			}
			if now := rec.snapshot(); !maps.Equal(now, held) {
				t.Errorf("got objects %v, want the same as before the list, %v", now, held)
			}
		})
	}
}
