package replica

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// manyContainers returns a pod whose text is larger than its encoding.
func manyContainers(i, containers int) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "hostile", Name: fmt.Sprint("large", i), UID: uid(1000 + i)}}
	for c := range containers {
		name := fmt.Sprint("c", c)
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: name})
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: name, Image: strings.Repeat("x", 100)})
	}
	return p
}

func TestOnlyLargeObjectsLoseFamilies(t *testing.T) {
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
		t.Errorf("statefleet_objects_truncated is %v, want 2", n)
	}
	if k := r.Overview().Kinds[0]; k.Truncated != 2 {
		t.Errorf("overview has %d truncated objects, want 2", k.Truncated)
	}
	omitted := r.value("statefleet_families_over_limit_total", "resource", "pods")
	if omitted < 4 {
		t.Errorf("statefleet_families_over_limit_total is %v, want 4 or more", omitted)
	}
	samples := r.samples()
	if on := podsIn(samples); len(on) != 3 {
		t.Errorf("exposition has pods %v, want 3", on)
	}
	for _, l := range samples {
		if strings.HasPrefix(l, "kube_pod_container_info{") && strings.Contains(l, "large") {
			t.Fatalf("exposition has a sample of a family that exceeds the limit: %s", l)
		}
	}
	if text := r.value("statefleet_store_text_bytes", "resource", "pods"); text > 3*limit {
		t.Errorf("statefleet_store_text_bytes is %v, want %d at most", text, 3*limit)
	}
	// One object becomes small, and the other one is deleted.
	w.put(manyContainers(1, 1))
	eventually(t, "one truncated object", func() bool { return truncated() == 1 })
	if err := w.cluster.Delete(manyContainers(2, 0)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no truncated object", func() bool { return truncated() == 0 })
	r.stop()
	if n := strings.Count(log.String(), "object-bytes-limit"); n != 1 || !strings.Contains(log.String(), "namespace=hostile name=large1") {
		t.Errorf("logged %d times, want once:\n%s", n, &log)
	}
}

// TestObjectLargerThanByteLimitIsLeftOut checks that an object that exceeds the limit of the whole
// kind is left out, although its first families alone would fit.
func TestObjectLargerThanByteLimitIsLeftOut(t *testing.T) {
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
	if on := podsIn(r.samples()); len(on) != 1 || !on[string(uid(1))] {
		t.Errorf("exposition has %v, want the small pod only", on)
	}
	if n := r.value("statefleet_limit_reached", "resource", "pods"); n != 1 {
		t.Errorf("statefleet_limit_reached is %v, want 1", n)
	}
	w.put(manyContainers(1, 1))
	eventually(t, "the object that fits now", func() bool { return len(podsIn(r.samples())) == 2 })
}
