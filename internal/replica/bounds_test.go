package replica

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// manyContainers is a pod with more text than it is long.
func manyContainers(i, containers int) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "hostile", Name: fmt.Sprint("large", i), UID: uid(1000 + i)}}
	for c := range containers {
		name := fmt.Sprint("c", c)
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: name})
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: name, Image: strings.Repeat("x", 100)})
	}
	return p
}

func podsOnly(o *Options) {
	o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return k.Name != "pods" })
}

func TestLargeObjectLosesFamiliesAndNoOtherDoes(t *testing.T) {
	const limit = 64 << 10
	var log bytes.Buffer
	w := newWorld(t)
	w.pod(1, "n0")
	w.put(manyContainers(1, 2000))
	w.put(manyContainers(2, 2000))
	r := w.start(func(o *Options) {
		podsOnly(o)
		o.ObjectBytes = limit
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	r.assign(0, 1)
	r.waitReady()
	truncated := func() float64 { return r.value("statefleet_objects_truncated", "resource", "pods") }
	if n := truncated(); n != 2 {
		t.Errorf("%v objects are truncated, want 2", n)
	}
	if k := r.Overview().Kinds[0]; k.Truncated != 2 {
		t.Errorf("the overview has %d truncated objects", k.Truncated)
	}
	omitted := r.value("statefleet_families_over_limit_total", "resource", "pods")
	if omitted < 4 {
		t.Errorf("%v families are counted as left out", omitted)
	}
	samples := r.samples()
	if on := podsOn(samples); len(on) != 3 {
		t.Errorf("of %v, kube_pod_info is on the page", on)
	}
	for _, l := range samples {
		if strings.HasPrefix(l, "kube_pod_container_info{") && strings.Contains(l, "large") {
			t.Fatalf("a family beyond the limit: %s", l)
		}
	}
	if text := r.value("statefleet_page_text_bytes", "resource", "pods"); text > 3*limit {
		t.Errorf("%v bytes of text", text)
	}
	// It becomes small, and the other one goes.
	w.put(manyContainers(1, 1))
	eventually(t, "one object less", func() bool { return truncated() == 1 })
	if err := w.cluster.Delete(manyContainers(2, 0)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "none", func() bool { return truncated() == 0 })
	r.stop()
	if n := strings.Count(log.String(), "object-bytes-limit"); n != 1 || !strings.Contains(log.String(), "namespace=hostile name=large1") {
		t.Errorf("logged %d times:\n%s", n, &log)
	}
}

// An object that asks for more than its kind may hold would fill that with a part of it.
func TestObjectLargerThanItsKindMayBeIsLeftOut(t *testing.T) {
	w := newWorld(t)
	w.put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "small", Name: "p", UID: uid(1)}})
	large := manyContainers(1, 2000)
	w.put(large)
	r := w.start(func(o *Options) {
		podsOnly(o)
		o.ByteLimit = 50_000
	})
	r.assign(0, 1)
	r.waitReady()
	if on := podsOn(r.samples()); len(on) != 1 || !on[string(uid(1))] {
		t.Errorf("%v are on the page", on)
	}
	if n := r.value("statefleet_limit_reached", "resource", "pods"); n != 1 {
		t.Errorf("the limit is shown as %v", n)
	}
	w.put(manyContainers(1, 1))
	eventually(t, "the object that fits now", func() bool { return len(podsOn(r.samples())) == 2 })
}

// crowd puts n pods into a namespace, whose UIDs begin with that of from.
func (w *world) crowd(namespace string, from, n int) {
	w.t.Helper()
	for i := range n {
		w.put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("p%05d", i), UID: uid(from + i)}})
	}
}

// byNamespace counts the pods on the page.
func (r *run) byNamespace() map[string]int {
	r.t.Helper()
	counts := map[string]int{}
	for _, l := range r.samples() {
		if strings.HasPrefix(l, "kube_pod_info{") {
			_, rest, _ := strings.Cut(l, `namespace="`)
			namespace, _, _ := strings.Cut(rest, `"`)
			counts[namespace]++
		}
	}
	return counts
}

func TestOneNamespaceDoesNotFillTheObjectLimit(t *testing.T) {
	for name, first := range map[string]string{"listed first": "aaa", "listed last": "zzz"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.crowd(first, 0, 200)
			w.crowd("small", 1000, 3)
			w.crowd("medium", 2000, 20)
			r := w.start(func(o *Options) {
				podsOnly(o)
				o.ObjectLimit = 30
			})
			r.assign(0, 1)
			r.waitReady()
			got := r.byNamespace()
			if got["small"] != 3 || got["medium"] < 13 || got[first] < 13 || got[first]+got["medium"] != 27 {
				t.Errorf("on the page are %v, want 3 of small, and of the others 13 or 14", got)
			}
		})
	}
}

// Who is left out does not change from one list to the next.
func TestSharesDoNotChangeFromListToList(t *testing.T) {
	w := newWorld(t)
	w.crowd("b", 0, 100)
	w.crowd("c", 1000, 100)
	w.crowd("d", 2000, 2)
	r := w.start(func(o *Options) {
		podsOnly(o)
		o.ObjectLimit = 20
	})
	r.assign(0, 1)
	r.waitReady()
	before := podsOn(r.samples())
	if len(before) != 20 {
		t.Fatalf("%d pods", len(before))
	}
	leftOut := func() float64 { return r.value("statefleet_updates_total", "result", "over_limit") }
	for range 3 {
		counted := leftOut()
		w.put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "b", Name: "other"}}) // a version that the watch does not know
		w.cluster.Compact()
		w.cluster.CloseWatches()
		eventually(t, "another list", func() bool { return leftOut() >= counted+182 })
		if now := podsOn(r.samples()); !maps.Equal(now, before) {
			t.Fatalf("%d pods are on the page, and not those of before", len(now))
		}
	}
}

// The tenant of a full page comes last, and has its share at once.
func TestNewcomerHasItsShareAtOnce(t *testing.T) {
	w := newWorld(t)
	w.crowd("old", 0, 50)
	r := w.start(func(o *Options) {
		podsOnly(o)
		o.ObjectLimit = 20
	})
	r.assign(0, 1)
	r.waitReady()
	if got := r.byNamespace(); got["old"] != 20 {
		t.Fatalf("on the page are %v", got)
	}
	w.crowd("new", 1000, 30)
	eventually(t, "equal shares", func() bool { got := r.byNamespace(); return got["old"] == 10 && got["new"] == 10 })
	held := podsOn(r.samples())
	w.put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "new", Name: "p00000", UID: uid(1000), Labels: map[string]string{"a": "b"}}})
	eventually(t, "no change of who is held", func() bool { return maps.Equal(podsOn(r.samples()), held) })
	// What goes leaves room for those that were left out, by their next change.
	for i := range 50 {
		if err := w.cluster.Delete(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "old", Name: fmt.Sprintf("p%05d", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the old ones to be gone", func() bool { return r.byNamespace()["old"] == 0 })
	w.crowd("new", 1000, 30)
	eventually(t, "all of the new", func() bool { return r.byNamespace()["new"] == 20 })
}
