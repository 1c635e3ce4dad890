package replica

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
)

func TestUnionOfShardsIsTheUnshardedPage(t *testing.T) {
	w := newWorld(t)
	for i := range 200 {
		w.pod(i, "n0")
		w.put(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "ns0", Name: fmt.Sprintf("j%d", i), UID: uid(10000 + i)}})
	}
	all := w.start(nil)
	all.assign(0, 1)
	shards := make([]*run, 3)
	for i := range shards {
		shards[i] = w.start(nil)
		shards[i].assign(i, 3)
	}
	all.waitReady()
	for i, s := range shards {
		s.waitReady()
		if len(s.samples()) == 0 {
			t.Errorf("shard %d is empty", i)
		}
	}
	for i := range 100 {
		w.pod(i, "n1")
		w.removePod(100 + i)
	}
	eventually(t, "events on every page", func() bool {
		union := []string{}
		for _, s := range shards {
			union = append(union, s.samples()...)
		}
		slices.Sort(union)
		want := all.samples()
		return len(podsOn(want)) == 100 && slices.Equal(union, want)
	})
	decoded := 0.0
	for _, s := range shards {
		decoded += s.rendered()
	}
	// Each version of an object is rendered on one shard, at most once more when
	// the list already held what the watch brings again.
	if most := all.rendered() * 1.1; decoded > most {
		t.Errorf("three shards rendered %v objects, one renders %v", decoded, most)
	}
}

// TestShardChangesWithoutAGap: whatever belongs to a replica before and after a
// change is on each of its pages once, and no page shows less than that.
func TestShardChangesWithoutAGap(t *testing.T) {
	w := newWorld(t)
	const pods = 500
	for i := range pods {
		w.pod(i, "n0")
	}
	r := w.start(nil)
	steps := []shard.Assignment{{Ordinal: 0, Total: 2}, {Ordinal: 0, Total: 3}, {Ordinal: 0, Total: 5}, {Ordinal: 0, Total: 2}, {Ordinal: 0, Total: 1}, {Ordinal: 0, Total: 4}}
	r.Assign(steps[0])
	r.waitReady()
	now := expected(steps[0], pods)
	gained := len(now)
	if got := podsOn(r.samples()); !maps.Equal(got, now) {
		t.Fatalf("%d pods at the start, want %d", len(got), len(now))
	}
	for _, step := range steps[1:] {
		next := expected(step, pods)
		r.Assign(step)
		eventually(t, "change to "+step.String(), func() bool {
			got := podsOn(r.samples())
			if !maps.Equal(got, now) && !maps.Equal(got, next) {
				t.Fatalf("a page of %d pods is neither the old set of %d nor the new one of %d", len(got), len(now), len(next))
			}
			return maps.Equal(got, next)
		})
		for uid := range next {
			if !now[uid] {
				gained++
			}
		}
		now = next
	}
	if n := r.rendered(); n != float64(gained) {
		t.Errorf("%v objects were decoded, want the %d that came to be held", n, gained)
	}
}

func expected(a shard.Assignment, pods int) map[string]bool {
	all := map[string]bool{}
	for i := range pods {
		if a.Ranges().Contains(shard.Hash(string(uid(i)))) {
			all[string(uid(i))] = true
		}
	}
	return all
}

func TestChangeDuringAChangeEndsInTheLastOne(t *testing.T) {
	w := newWorld(t)
	for i := range 300 {
		w.pod(i, "n0")
	}
	r := w.start(nil)
	r.assign(1, 2)
	r.waitReady()
	for _, total := range []int{7, 3, 2, 9, 4} {
		r.assign(1, total)
	}
	want := expected(shard.Assignment{Ordinal: 1, Total: 4}, 300)
	eventually(t, "the last assignment", func() bool { return maps.Equal(podsOn(r.samples()), want) })
	w.pod(1000, "n0")
	w.removePod(0)
	all := expected(shard.Assignment{Ordinal: 1, Total: 4}, 300)
	delete(all, string(uid(0)))
	if (shard.Assignment{Ordinal: 1, Total: 4}).Ranges().Contains(shard.Hash(string(uid(1000)))) {
		all[string(uid(1000))] = true
	}
	eventually(t, "events after the changes", func() bool { return maps.Equal(podsOn(r.samples()), all) })
}

func TestNotReadyUntilEveryKindIsSynced(t *testing.T) {
	w := newWorld(t)
	w.pod(1, "n0")
	hold := make(chan struct{})
	bend := func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/jobs") {
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		return false
	}
	w.bend.Store(&bend)
	r := w.start(nil)
	r.assign(0, 1)
	eventually(t, "pods there, jobs not", func() bool {
		err := r.Ready()
		return err != nil && err.Error() == "not synced yet: jobs"
	})
	close(hold)
	r.waitReady()
}

// refuse answers as an API server does that does not allow something.
func refuse(w http.ResponseWriter) bool {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusForbidden)
	_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`))
	return true
}

// An API server that has just started refuses some of what it allows.
func TestKindThatIsRefusedForAMomentIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	w.pod(1, "n0")
	var refused atomic.Int32
	bend := func(rw http.ResponseWriter, r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/pods") && refused.Add(1) <= 2 && refuse(rw)
	}
	w.bend.Store(&bend)
	r := w.start(func(o *Options) { o.ForbiddenGrace = time.Hour })
	r.assign(0, 1)
	r.waitReady()
	if n := len(podsOn(r.samples())); n != 1 || refused.Load() <= 2 {
		t.Errorf("ready with %d pods of 1, after %d requests for pods", n, refused.Load())
	}
}

// TestKindThatIsNotRefusedAnyMoreIsWaitedFor: its list takes longer than a refusal is taken for one that passes.
func TestKindThatIsNotRefusedAnyMoreIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	w.pod(1, "n0")
	var asked atomic.Int32
	begun, end := make(chan struct{}), make(chan struct{})
	bend := func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/pods") {
			return false
		}
		switch n := asked.Add(1); {
		case n <= 2:
			return refuse(rw)
		case n == 3:
			rw.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(rw).Flush()
			close(begun)
			select {
			case <-end:
			case <-r.Context().Done():
			}
			return true
		}
		return false
	}
	w.bend.Store(&bend)
	const patience = 2 * time.Second // the second attempt comes before
	r := w.start(func(o *Options) { o.ForbiddenGrace = patience })
	r.assign(0, 1)
	<-begun
	time.Sleep(patience)
	if r.Ready() == nil {
		t.Error("ready while the list comes in")
	}
	close(end)
	r.waitReady()
	if n := len(podsOn(r.samples())); n != 1 {
		t.Errorf("ready with %d pods of 1", n)
	}
}

func TestNotReadyWhileEverythingIsRefused(t *testing.T) {
	w := newWorld(t)
	var refused atomic.Int32
	bend := func(rw http.ResponseWriter, _ *http.Request) bool {
		refused.Add(1)
		return refuse(rw)
	}
	w.bend.Store(&bend)
	r := w.start(func(o *Options) { o.ForbiddenGrace = time.Millisecond })
	r.assign(0, 1)
	eventually(t, "every kind was refused", func() bool {
		return r.value("statefleet_resource_phase", "phase", "forbidden") == float64(len(resources.All()))
	})
	if r.Ready() == nil {
		t.Error("ready with nothing")
	}
	w.bend.Store(nil)
	r.waitReady()
}

func TestForbiddenKindDoesNotHoldTheOthersBack(t *testing.T) {
	w := newWorld(t)
	w.pod(1, "n0")
	bend := func(rw http.ResponseWriter, r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/jobs") && refuse(rw)
	}
	w.bend.Store(&bend)
	r := w.start(func(o *Options) { o.ForbiddenGrace = time.Millisecond })
	r.assign(0, 1)
	r.waitReady()
	eventually(t, "the pod", func() bool { return len(podsOn(r.samples())) == 1 })
	if r.value("statefleet_resource_phase", "phase", "forbidden") != 1 {
		t.Error("no self-metric says that a kind is forbidden")
	}
	w.bend.Store(nil)
	w.put(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "ns0", Name: "j", UID: "j"}})
	eventually(t, "the job once it is allowed", func() bool {
		return slices.ContainsFunc(r.samples(), func(l string) bool { return strings.HasPrefix(l, "kube_job_info") })
	})
}

// TestRefusedNamespaceDoesNotHoldTheOthersBack: wherever it is among those that are followed.
func TestRefusedNamespaceDoesNotHoldTheOthersBack(t *testing.T) {
	for _, refused := range []string{"ns0", "ns1"} {
		w := newWorld(t)
		for i := range 6 {
			w.pod(i, "n0")
		}
		bend := func(rw http.ResponseWriter, r *http.Request) bool {
			return strings.Contains(r.URL.Path, "/"+refused+"/") && refuse(rw)
		}
		w.bend.Store(&bend)
		r := w.start(func(o *Options) {
			o.Namespaces, o.ForbiddenGrace = []string{"ns0", "ns1"}, time.Millisecond
			o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return !k.Namespaced })
		})
		r.assign(0, 1)
		r.waitReady()
		if n := len(podsOn(r.samples())); n != 2 {
			t.Errorf("%s is refused: %d pods, want the 2 of the other", refused, n)
		}
	}
}

func TestUnreadableObjectCostsItselfOnly(t *testing.T) {
	w := newWorld(t)
	const list = `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[
		{"metadata":{"name":"good","namespace":"a","uid":"u1","resourceVersion":"5"}},
		{"metadata":{"name":"bad","namespace":"a","uid":"u2","resourceVersion":"6"},"spec":"garbage"},
		{"metadata":{"name":"fine","namespace":"a","uid":"u3","resourceVersion":"7"}}]}`
	w.listsPods(list)
	r := w.start(nil)
	r.assign(0, 1)
	r.waitReady()
	if got := podsOn(r.samples()); len(got) != 2 || !got["u1"] || !got["u3"] {
		t.Errorf("pods %v", got)
	}
	if r.value("statefleet_updates_total", "result", "failed") == 0 {
		t.Error("the unreadable object was not counted")
	}
}

func TestNamespacesAndNodes(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Options)
		want   func(i int) bool
	}{
		"namespaces":  {func(o *Options) { o.Namespaces = []string{"ns0", "ns2"} }, func(i int) bool { return i%3 != 1 }},
		"denied":      {func(o *Options) { o.NamespacesDenied = []string{"ns0"} }, func(i int) bool { return i%3 != 0 }},
		"node":        {func(o *Options) { o.Node = "n1" }, func(i int) bool { return i%2 == 1 }},
		"unscheduled": {func(o *Options) { o.TrackUnscheduled = true }, func(i int) bool { return i%2 == 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			want := map[string]bool{}
			for i := range 30 {
				w.pod(i, []string{"", "n1"}[i%2])
				if c.want(i) {
					want[string(uid(i))] = true
				}
			}
			w.put(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ns1", UID: "ns1"}})
			r := w.start(c.change)
			r.assign(0, 1)
			r.waitReady()
			lines := r.samples()
			if got := podsOn(lines); !maps.Equal(got, want) {
				t.Errorf("pods %v, want %v", got, want)
			}
			if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "kube_namespace_") }) {
				t.Error("namespaces, which have no namespace, are missing")
			}
		})
	}
}

func TestObjectLimit(t *testing.T) {
	w := newWorld(t)
	for i := range 30 {
		w.pod(i, "n0")
	}
	r := w.start(func(o *Options) {
		o.ObjectLimit = 10
		o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return k.Name != "pods" })
	})
	r.assign(0, 1)
	r.waitReady()
	if got := len(podsOn(r.samples())); got != 10 {
		t.Errorf("%d pods, want 10", got)
	}
	if v := r.value("statefleet_updates_total", "result", "over_limit"); v < 20 {
		t.Errorf("%v objects counted over the limit", v)
	}
}

// TestLimitReachedIsShown: by either limit, for as long as there is no room, and
// never without a limit.
func TestLimitReachedIsShown(t *testing.T) {
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
				o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return k.Name != "pods" })
			})
			r.assign(0, 1)
			r.waitReady()
			reached := func() float64 { return r.value("statefleet_limit_reached", "resource", "pods") }
			if got := reached(); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
			for i := range 30 {
				w.removePod(i)
			}
			eventually(t, "room", func() bool { return reached() == 0 })
		})
	}
}

func TestKindsComeAndGo(t *testing.T) {
	w := newWorld(t)
	w.pod(1, "n0")
	w.put(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "ns0", Name: "j", UID: "j"}})
	all := builtin(t, resources.All())
	only := func(names ...string) []Kind {
		return slices.DeleteFunc(slices.Clone(all), func(k Kind) bool { return !slices.Contains(names, k.Name) })
	}
	has := func(r *run, prefix string) bool {
		return slices.ContainsFunc(r.samples(), func(l string) bool { return strings.HasPrefix(l, prefix) })
	}
	r := w.start(func(o *Options) { o.Kinds = only("pods") })
	r.assign(0, 1)
	r.waitReady()
	rendered := r.value("statefleet_updates_total", "resource", "pods")
	r.SetKinds(only("pods", "jobs"))
	eventually(t, "the job", func() bool {
		if !has(r, "kube_pod_info") || r.Ready() != nil {
			t.Fatal("pods are gone while jobs come")
		}
		return has(r, "kube_job_info")
	})
	if now := r.value("statefleet_updates_total", "resource", "pods"); now != rendered {
		t.Errorf("pods were rendered again: %v, before %v", now, rendered)
	}
	r.assign(0, 2)
	r.SetKinds(only("jobs"))
	eventually(t, "pods to go", func() bool { return !has(r, "kube_pod_info") })
}

func TestNamespaceSelectorIsFollowed(t *testing.T) {
	w := newWorld(t)
	label := func(ns, team string) {
		w.put(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns, UID: types.UID(ns), Labels: map[string]string{"team": team}}})
	}
	label("ns0", "a")
	label("ns1", "b")
	label("ns2", "a")
	for i := range 30 {
		w.pod(i, "n0")
	}
	want := func(remainders ...int) map[string]bool {
		all := map[string]bool{}
		for i := range 30 {
			if slices.Contains(remainders, i%3) {
				all[string(uid(i))] = true
			}
		}
		return all
	}
	r := w.start(func(o *Options) { o.NamespaceSelector = labels.SelectorFromSet(labels.Set{"team": "a"}) })
	r.assign(0, 1)
	r.waitReady()
	if got := podsOn(r.samples()); !maps.Equal(got, want(0, 2)) {
		t.Fatalf("%d pods at the start", len(got))
	}
	label("ns1", "a")
	eventually(t, "a namespace that is selected now", func() bool { return maps.Equal(podsOn(r.samples()), want(0, 1, 2)) })
	label("ns0", "b")
	eventually(t, "a namespace that is selected no more", func() bool { return maps.Equal(podsOn(r.samples()), want(1, 2)) })
	w.cluster.CloseWatches()
	w.removePod(1)
	left := want(1, 2)
	delete(left, string(uid(1)))
	eventually(t, "events after that", func() bool { return maps.Equal(podsOn(r.samples()), left) })
}

func TestNewObjectTakesThePlaceOfADeletedOne(t *testing.T) {
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
	shown := 0
	for _, l := range r.samples() { // fails on a series that stands on the page twice
		if strings.HasPrefix(l, "kube_job_info") {
			shown++
		}
	}
	if shown != 1 {
		t.Errorf("%d jobs of one name", shown)
	}
}

// TestObjectsCreatedDuringTheFirstListStay: what comes right behind a streamed
// list is not taken for something that the list lacks.
func TestObjectsCreatedDuringTheFirstListStay(t *testing.T) {
	for range 5 {
		w := newWorld(t)
		for i := range 200 {
			w.pod(i, "n0")
		}
		r := w.start(nil)
		r.assign(0, 1)
		for i := range 100 {
			w.pod(200+i, "n0")
		}
		eventually(t, "all pods", func() bool { return len(podsOn(r.samples())) == 300 })
	}
}
