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

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/wire"
)

func selectTeamA(t *testing.T) labels.Selector {
	t.Helper()
	team, err := labels.Parse("team=a")
	if err != nil {
		t.Fatal(err)
	}
	return team
}

// startSelecting starts a replica that exports the pods in the namespaces of team a, and verifies
// pods and namespaces all the time.
func (w *world) startSelecting() *run {
	w.t.Helper()
	return w.startVerified(func(o *Options) { o.NamespaceSelector = selectTeamA(w.t) })
}

// selects reports whether exactly these namespaces are selected.
func (r *run) selects(names ...string) bool {
	want := map[string]bool{}
	for _, name := range names {
		want[name] = true
	}
	selected, _ := r.namespaceSet.current()
	return maps.Equal(selected, want)
}

// namespaceChecks returns how often the verification of the selected namespaces had a result.
func (r *run) namespaceChecks(result string) float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "statefleet_consistency_checks_total" && len(m.GetLabel()) == 2 &&
				m.GetLabel()[0].GetValue() == "namespaces-selector" && m.GetLabel()[1].GetValue() == result {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// restore replaces the cluster by one with older versions, as a restored backup does. A watch from
// a version that the backup does not have receives nothing. Once unchecked is set, lists for
// verification are refused.
func (w *world) restore(backup *simulator.Cluster) (unchecked *atomic.Bool) {
	unchecked = new(atomic.Bool)
	handler := backup.Handler()
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		query := r.URL.Query()
		switch {
		case unchecked.Load() && query.Get("limit") != "":
			refuse(rw)
		case watch.ParseVersion(query.Get("resourceVersion")) <= backup.ResourceVersion() || !silentWatch(rw, r):
			handler.ServeHTTP(rw, r)
		}
		return true
	})
	w.cluster.CloseWatches()
	return unchecked
}

func TestVerifierRepairsSelectedNamespaces(t *testing.T) {
	w := newWorld(t)
	w.namespace("ns0", "a")
	w.namespace("ns1", "b")
	w.pod(0, "n0") // in ns0
	w.pod(1, "n0") // in ns1
	r := w.startSelecting()
	eventually(t, "the pod in ns0", func() bool { return podsIn(r.samples())[string(uid(0))] })
	w.intercept(silentWatch)
	w.cluster.CloseWatches()
	w.namespace("ns0", "b")
	w.namespace("ns1", "a")
	eventually(t, "the selected namespaces are repaired", func() bool {
		on := podsIn(r.samples())
		return r.selects("ns1") && len(on) == 1 && on[string(uid(1))]
	})
	eventually(t, "the result is counted", func() bool { return r.namespaceChecks(checkRepaired) > 0 })
}

// TestSelectedNamespacesFollowARestoredBackup checks that a reset is detected although the watch is
// silent: its version is newer than all versions of the backup.
func TestSelectedNamespacesFollowARestoredBackup(t *testing.T) {
	w, backup := newWorld(t), newWorld(t)
	backup.namespace("ns0", "a")
	backup.namespace("ns1", "a")
	w.namespace("ns0", "a")
	for range 20 {
		w.namespace("ns2", "a")
	}
	r := w.startSelecting()
	eventually(t, "the namespaces before the restore", func() bool { return r.selects("ns0", "ns2") })
	unchecked := w.restore(backup.cluster)
	eventually(t, "the namespaces of the backup", func() bool { return r.selects("ns0", "ns1") })
	eventually(t, "the result is counted", func() bool { return r.namespaceChecks(checkReset) > 0 })
	unchecked.Store(true)
	backup.namespace("ns2", "a")
	eventually(t, "an event after the restore", func() bool { return r.selects("ns0", "ns1", "ns2") })
}

// TestNamespaceDeletedDuringAListIsNotSelected covers streamed lists. They may name objects that were
// deleted while they were sent.
func TestNamespaceDeletedDuringAListIsNotSelected(t *testing.T) {
	s := &namespaceSet{changed: newLatest[struct{}](), names: map[string]bool{}}
	o := watch.Object{Meta: wire.Meta{Name: []byte("ns1")}}
	s.Put(o)
	s.Delete(o)
	s.Replace([]watch.ObjectRef{{Name: "ns1"}}, "5")
	if names, _ := s.list(); len(names) > 0 {
		t.Error("a deleted namespace is selected")
	}
}

// TestKindsAreListedOnceAtTheStart checks that the first list of namespaces does not count as a
// change.
func TestKindsAreListedOnceAtTheStart(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		network := newPipes()
		w := newWorldOn(t, network)
		w.namespace("ns0", "a")
		var lists atomic.Int32
		w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/pods") && r.URL.Query().Get("sendInitialEvents") != "" {
				lists.Add(1)
			}
			return false
		})
		r := w.start(func(o *Options) {
			o.Config.Dial = network.dial
			o.NamespaceSelector = selectTeamA(t)
		})
		r.assign(0, 1)
		r.waitReady()
		time.Sleep(10 * namespaceDebounce)
		if n := lists.Load(); n != 1 {
			t.Errorf("pods were listed %d times, want once", n)
		}
	})
}

// TestNamespacesThatChangeDuringEachListAreListed covers namespaces that are created more often than a
// list of the pods takes.
func TestNamespacesThatChangeDuringEachListAreListed(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		network := newPipes()
		w := newWorldOn(t, network)
		w.namespace("ns0", "a")
		w.namespace("ns1", "b")
		w.pod(0, "n0")
		w.pod(1, "n0") // in ns1
		w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/pods") && r.URL.Query().Get("sendInitialEvents") != "" {
				watch.Sleep(r.Context(), 8*time.Second)
			}
			return false
		})
		r := w.start(func(o *Options) {
			podsOnly(o)
			o.Config.Dial = network.dial
			o.NamespaceSelector = selectTeamA(t)
		})
		r.assign(0, 1)
		r.waitReady()
		w.namespace("ns1", "a")
		w.pod(0, "n1")
		for i := range 15 {
			w.namespace(fmt.Sprintf("new%d", i), "a")
			time.Sleep(4 * time.Second)
		}
		if !r.podsRunOn("n1") || len(podsIn(r.samples())) != 2 {
			t.Errorf("a minute after the first change, got %d pods, want 2; the change of one is exposed: %t", len(podsIn(r.samples())), r.podsRunOn("n1"))
		}
	})
}

// TestSelectedNamespacesAreVerifiedAfterAReset checks that a reset of a kind starts the
// verification of the namespaces, long before its interval.
func TestSelectedNamespacesAreVerifiedAfterAReset(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		network, backup := newPipes(), simulator.New(simulator.Options{})
		if err := backup.Put(teamNamespace("ns0", "a")); err != nil {
			t.Fatal(err)
		}
		w := newWorldOn(t, network)
		w.namespace("ns1", "b")
		w.namespace("ns2", "a")
		r := w.start(func(o *Options) {
			o.Config.Dial = network.dial
			o.NamespaceSelector = selectTeamA(t)
			o.verify(4*time.Hour, 0)
		})
		r.assign(0, 1)
		r.waitReady()
		time.Sleep(time.Minute) // after a shorter watch, everything is listed anyway
		w.restore(backup)
		// Intervals are random, from two to six hours. After three hours, at least one of the many kinds was verified.
		// Without the reset, the namespaces would have been verified in one case of four only.
		time.Sleep(3 * time.Hour)
		if !r.selects("ns0") {
			t.Error("the selected namespaces are still those from before the restore")
		}
	})
}

func TestNamespaceSelector(t *testing.T) {
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
	if got := podsIn(r.samples()); !maps.Equal(got, want(0, 2)) {
		t.Fatalf("got %d pods at the start, want %d", len(got), len(want(0, 2)))
	}
	label("ns1", "a")
	eventually(t, "the pods of the namespace that is selected now", func() bool { return maps.Equal(podsIn(r.samples()), want(0, 1, 2)) })
	label("ns0", "b")
	eventually(t, "no pods of the namespace that is no longer selected", func() bool { return maps.Equal(podsIn(r.samples()), want(1, 2)) })
	w.cluster.CloseWatches()
	w.removePod(1)
	left := want(1, 2)
	delete(left, string(uid(1)))
	eventually(t, "events after the changes", func() bool { return maps.Equal(podsIn(r.samples()), left) })
}

func TestChangesOfTheSelectedNamespacesAreCountedAndAnnounced(t *testing.T) {
	t.Parallel()
	s := &namespaceSet{changed: newLatest[struct{}](), names: map[string]bool{}}
	refs := func(names ...string) (all []watch.ObjectRef) {
		for _, name := range names {
			all = append(all, watch.ObjectRef{Name: name})
		}
		return all
	}
	for _, step := range []struct {
		what    string
		do      func()
		names   []string
		changes uint64
	}{
		{"first namespace", func() { s.Put(named("", "a")) }, []string{"a"}, 1},
		{"same namespace", func() { s.Put(named("", "a")) }, []string{"a"}, 1},
		{"second namespace", func() { s.Put(named("", "b")) }, []string{"a", "b"}, 2},
		{"deletion of a namespace that is not selected", func() { s.Delete(named("", "c")) }, []string{"a", "b"}, 2},
		{"list of the same namespaces", func() { s.Replace(refs("a", "b"), "") }, []string{"a", "b"}, 2},
		{"list of fewer namespaces", func() { s.Replace(refs("b"), "") }, []string{"b"}, 3},
		{"deletion of the last namespace", func() { s.Delete(named("", "b")) }, nil, 4},
	} {
		_, before := s.list()
		step.do()
		names, changes := s.list()
		if !slices.Equal(names, step.names) || changes != step.changes {
			t.Errorf("%s: got %v after %d changes, want %v after %d", step.what, names, changes, step.names, step.changes)
		}
		announced := false
		select {
		case <-s.changed:
			announced = true
		default:
		}
		if announced != (step.changes > before) {
			t.Errorf("%s: announced is %t, want %t", step.what, announced, step.changes > before)
		}
	}
}
