package replica

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/wire"
)

func named(namespace, name string) watch.Object {
	return watch.Object{Meta: wire.Meta{Namespace: []byte(namespace), Name: []byte(name)}}
}

// TestCollidingNameDoesNotReplaceAnotherObject uses names with the same unkeyed hash. Such names
// are easy to find.
func TestCollidingNameDoesNotReplaceAnotherObject(t *testing.T) {
	const victim, collides = "payments-db-0", "aaajf8tbaaa4caux8ee"
	if xxhash.Sum64String("prod/"+victim) != xxhash.Sum64String("evil/"+collides) {
		t.Fatal("the names do not collide")
	}
	w := newWorld(t)
	r := w.start(podsOnly)
	w.put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: victim, UID: uid(1)}})
	r.assign(0, 1)
	r.waitReady()
	w.put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "evil", Name: collides, UID: uid(2)}})
	eventually(t, "the second pod", func() bool { return podsIn(r.samples())[string(uid(2))] })
	if !podsIn(r.samples())[string(uid(1))] {
		t.Error("the first pod was removed although it exists")
	}
}

func TestHashOfNamesHasARandomKey(t *testing.T) {
	a, b := newNames(), newNames()
	o := named("ns", "name")
	if first, again := a.hash(o), a.hash(o); first != again {
		t.Error("the hash of a name is not constant")
	}
	if a.hash(o) == b.hash(o) {
		t.Error("the hash of a name is the same for two kinds")
	}
	if a.hash(named("a", "bc")) == a.hash(named("ab", "c")) {
		t.Error("a/bc and ab/c have the same hash")
	}
}

// TestObjectsOfACustomKindMayShareAUID covers aggregated APIs that let users choose UIDs.
func TestObjectsOfACustomKindMayShareAUID(t *testing.T) {
	w := newWorld(t)
	w.listsPods(`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[
		{"metadata":{"namespace":"prod","name":"a","uid":"` + string(uid(1)) + `","resourceVersion":"1"}},
		{"metadata":{"namespace":"evil","name":"b","uid":"` + string(uid(1)) + `","resourceVersion":"2"}}]}`)
	r := w.start(func(o *Options) {
		podsOnly(o)
		o.Kinds[0].Custom = true
	})
	r.assign(0, 1)
	r.waitReady()
	if n := r.podsHeld(); n != 2 {
		t.Errorf("the replica holds %d objects, want 2", n)
	}
}

func TestNewObjectReplacesDeletedNamesake(t *testing.T) {
	w := newWorld(t)
	job := func(id string) *batchv1.Job {
		return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "ns0", Name: "nightly", UID: types.UID(id)}}
	}
	r := w.start(func(o *Options) { o.HoldDeleted = time.Hour })
	r.assign(0, 1)
	r.waitReady()
	for _, id := range []string{"first", "second", "third"} {
		w.put(job(id))
		if err := w.cluster.Delete(job(id)); err != nil {
			t.Fatal(err)
		}
	}
	w.put(job("last"))
	eventually(t, "all events", func() bool { return r.value("statefleet_watch_objects_total", "resource", "jobs") >= 7 })
	jobs := 0
	for _, l := range r.samples() { // samples fails on a duplicate series
		if strings.HasPrefix(l, "kube_job_info") {
			jobs++
		}
	}
	if jobs != 1 {
		t.Errorf("got %d jobs with the same name, want 1", jobs)
	}
}

// TestNamesOfRemovedObjectsAreLimited covers objects that are removed without an event. Objects that
// are held for the target table are hidden, and keep their names.
func TestNamesOfRemovedObjectsAreLimited(t *testing.T) {
	t.Parallel()
	r := populatedWorld(t).start(podsOnly)
	r.Follow(plan(0, 3, 3))
	r.waitReady()
	r.Follow(plan(0, 3, 2))
	r.waitHolds(plan(0, 3, 2))
	k := r.current()[0]
	s := k.store.Stats()
	if s.Objects == 0 || s.HiddenObjects == 0 {
		t.Fatalf("got %+v, want visible and hidden objects", s)
	}
	held := s.Objects + s.HiddenObjects
	names := func() int {
		k.names.mu.Lock()
		defer k.names.mu.Unlock()
		return len(k.names.byHash)
	}
	takeOne := func(i int) {
		o := named("gone", strconv.Itoa(i))
		o.UID = []byte(uid(podCount + i))
		k.takeName(o, k.id(o))
	}
	most := held + held/4 + staleNameSlack
	for i := 0; names() < most; i++ {
		takeOne(i)
	}
	if k.pruneNames(); names() != most {
		t.Errorf("%d names are left for %d objects, want all %d", names(), held, most)
	}
	takeOne(most)
	if k.pruneNames(); names() != held {
		t.Errorf("%d names are left for %d objects, want one for each object", names(), held)
	}
}
