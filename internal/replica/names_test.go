package replica

import (
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/wire"
)

func named(namespace, name string) watch.Object {
	return watch.Object{Meta: wire.Meta{Namespace: []byte(namespace), Name: []byte(name)}}
}

// TestNameMadeToCollideHidesNoOtherObject: a user finds such a name in a moment if the
// hash has no key.
func TestNameMadeToCollideHidesNoOtherObject(t *testing.T) {
	const victim, collides = "payments-db-0", "aaajf8tbaaa4caux8ee"
	if xxhash.Sum64String("prod/"+victim) != xxhash.Sum64String("evil/"+collides) {
		t.Fatal("the names do not collide")
	}
	w := newWorld(t)
	r := w.start(func(o *Options) {
		o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return k.Name != "pods" })
	})
	w.put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: victim, UID: uid(1)}})
	r.assign(0, 1)
	r.waitReady()
	w.put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "evil", Name: collides, UID: uid(2)}})
	eventually(t, "the second pod", func() bool { return podsOn(r.samples())[string(uid(2))] })
	if !podsOn(r.samples())[string(uid(1))] {
		t.Error("the first pod has left the page, though it exists")
	}
}

func TestHashOfNamesHasARandomKey(t *testing.T) {
	a, b := newNames(), newNames()
	o := named("ns", "name")
	if first, again := a.hash(o), a.hash(o); first != again {
		t.Error("a name has two hashes")
	}
	if a.hash(o) == b.hash(o) {
		t.Error("two kinds have the same hash of a name")
	}
	if a.hash(named("a", "bc")) == a.hash(named("ab", "c")) {
		t.Error("the end of the namespace is not part of the name")
	}
}

// TestObjectsOfACustomKindMayShareAUID: an aggregated API may let users choose UIDs.
func TestObjectsOfACustomKindMayShareAUID(t *testing.T) {
	w := newWorld(t)
	w.listsPods(`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[
		{"metadata":{"namespace":"prod","name":"a","uid":"` + string(uid(1)) + `","resourceVersion":"1"}},
		{"metadata":{"namespace":"evil","name":"b","uid":"` + string(uid(1)) + `","resourceVersion":"2"}}]}`)
	r := w.start(func(o *Options) {
		o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return k.Name != "pods" })
		o.Kinds[0].Custom = true
	})
	r.assign(0, 1)
	r.waitReady()
	if n := r.podsHeld(); n != 2 {
		t.Errorf("%d objects are held, want 2", n)
	}
}
