package replica

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/store"
)

// byNamespace counts the pods of the exposition by namespace.
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
			w.addPods(first, 0, 200)
			w.addPods("small", 1000, 3)
			w.addPods("medium", 2000, 20)
			r := w.start(func(o *Options) {
				podsOnly(o)
				o.ObjectLimit = 30
			})
			r.assign(0, 1)
			r.waitReady()
			got := r.byNamespace()
			if got["small"] != 3 || got["medium"] < 13 || got[first] < 13 || got[first]+got["medium"] != 27 {
				t.Errorf("got pods %v, want 3 of small, and 13 or 14 of each other namespace", got)
			}
		})
	}
}

// TestListsKeepTheSameObjectsAtTheLimit checks that the same objects are left out after each list.
func TestListsKeepTheSameObjectsAtTheLimit(t *testing.T) {
	w := newWorld(t)
	w.addPods("b", 0, 100)
	w.addPods("c", 1000, 100)
	w.addPods("d", 2000, 2)
	r := w.start(func(o *Options) {
		podsOnly(o)
		o.ObjectLimit = 20
	})
	r.assign(0, 1)
	r.waitReady()
	before := podsIn(r.samples())
	if len(before) != 20 {
		t.Fatalf("got %d pods, want 20", len(before))
	}
	leftOut := func() float64 { return r.value("statefleet_updates_total", "result", "over_limit") }
	for range 3 {
		counted := leftOut()
		w.put(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "b", Name: "other"}}) // a version that the watch has not received
		w.cluster.Compact()
		w.cluster.CloseWatches()
		eventually(t, "another list", func() bool { return leftOut() >= counted+182 })
		if now := podsIn(r.samples()); !maps.Equal(now, before) {
			t.Fatalf("got %d pods after another list, want the same %d as before", len(now), len(before))
		}
	}
}

// TestNewNamespaceGetsItsShare checks that a namespace that is created at the limit gets its share
// at once.
func TestNewNamespaceGetsItsShare(t *testing.T) {
	w := newWorld(t)
	w.addPods("old", 0, 50)
	var log bytes.Buffer
	r := w.start(func(o *Options) {
		podsOnly(o)
		o.ObjectLimit = 20
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	r.assign(0, 1)
	r.waitReady()
	if got := r.byNamespace(); got["old"] != 20 {
		t.Fatalf("got pods %v, want 20 of old", got)
	}
	w.addPods("new", 1000, 30)
	eventually(t, "equal shares", func() bool { got := r.byNamespace(); return got["old"] == 10 && got["new"] == 10 })
	held := podsIn(r.samples())
	w.put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "new", Name: "p00000", UID: uid(1000), Labels: map[string]string{"a": "b"}}})
	eventually(t, "the same pods", func() bool { return maps.Equal(podsIn(r.samples()), held) })
	// Deleted objects make room for left-out ones, which are stored when they change next.
	for i := range 50 {
		if err := w.cluster.Delete(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "old", Name: fmt.Sprintf("p%05d", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "no pods of old", func() bool { return r.byNamespace()["old"] == 0 })
	w.addPods("new", 1000, 30)
	eventually(t, "20 pods of new", func() bool { return r.byNamespace()["new"] == 20 })
	r.stop()
	for _, line := range []string{`an object is left out .* namespace=old `, `an object is left out .* namespace=new `, `an object was evicted .* namespace=old`} {
		if n := len(regexp.MustCompile(line).FindAllString(log.String(), -1)); n != 1 {
			t.Errorf("%d lines of the log match %q, want 1", n, line)
		}
	}
}

func TestNamespacesWithAProblemAreLoggedUpToANumber(t *testing.T) {
	k := newWorld(t).start(podsOnly).current()[0]
	logged := 0
	for i := range 2 * maxLoggedNamespaces {
		for range 2 {
			if k.firstTimeIn(fmt.Sprintf("ns%d", i), "limit") {
				logged++
			}
		}
	}
	if logged != maxLoggedNamespaces || !k.firstTimeIn("ns0", "eviction") {
		t.Errorf("%d namespaces are logged, want %d for each problem", logged, maxLoggedNamespaces)
	}
}

// TestSharesFollowHeldObjects checks that an object of the namespace with the most objects is evicted,
// and that it is the newest held one.
func TestSharesFollowHeldObjects(t *testing.T) {
	var s shares
	id := func(n int) store.ID { return store.NewID(strconv.Itoa(n), "", "") }
	for n := range 5 {
		s.add([]byte("a"), id(n))
	}
	s.add([]byte("b"), id(10))
	s.add([]byte("b"), id(10)) // already held
	wantEvict := func(namespace string, want bool) {
		t.Helper()
		if from, ok := s.evictFrom([]byte(namespace)); ok != want || from != "a" {
			t.Errorf("evictFrom(%q) = %q, %t, want a, %t", namespace, from, ok, want)
		}
	}
	wantEvict("b", true)
	wantEvict("a", false)
	s.remove(id(4))
	s.remove(id(4)) // already removed
	s.remove(id(3))
	wantEvict("b", true)
	if got := s.takeNewest("a"); got != id(2) {
		t.Errorf("takeNewest returned %v, want the newest held object, %v", got, id(2))
	}
	wantEvict("b", false)
	wantEvict("c", true)
	s.prune(2, func(held store.ID) bool { return held != id(1) }) // one was removed without an event
	if n := s.byNamespace["a"].held; n != 1 || len(s.namespaces) != 2 {
		t.Errorf("got %d objects of a and %d of all namespaces, want 1 and 2", n, len(s.namespaces))
	}
	for n := range 1000 {
		s.add([]byte("a"), id(100+n))
		s.remove(id(100 + n))
	}
	if n := len(s.byNamespace["a"].order); n > 4 {
		t.Errorf("the order has %d objects for a namespace with one object, want 4 at most", n)
	}
}

func TestTieEvictsFromTheNamespaceThatIsFirstByName(t *testing.T) {
	t.Parallel()
	for range 20 { // the order of a map is random
		var s shares
		for i := range 9 {
			s.add([]byte{byte('c' - i%3)}, store.ID{byte(i)})
		}
		if from, ok := s.evictFrom([]byte("d")); from != "a" || !ok {
			t.Fatalf("evictFrom(d) = %q, %t, want a, true", from, ok)
		}
	}
}

// TestOrderOfRemovedObjectsIsDropped checks that the memory of a namespace is bounded by its objects.
func TestOrderOfRemovedObjectsIsDropped(t *testing.T) {
	t.Parallel()
	var s shares
	for i := range 8 {
		s.add([]byte("a"), store.ID{byte(i)})
	}
	for i, want := range []int{8, 8, 8, 8, 3, 3} {
		s.remove(store.ID{byte(i)})
		if n := len(s.byNamespace["a"].order); n != want {
			t.Errorf("after %d of 8 objects were removed: got %d in the order, want %d", i+1, n, want)
		}
	}
	if newest := s.takeNewest("a"); newest != (store.ID{7}) {
		t.Errorf("takeNewest returned %v, want object 7", newest)
	}
}
