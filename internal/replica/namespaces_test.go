package replica

import (
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/wire"
)

// namespace makes or changes a namespace.
func (w *world) namespace(name, team string) {
	w.t.Helper()
	w.put(teamNamespace(name, team))
}

func teamNamespace(name, team string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": team}}}
}

func teamA(t *testing.T) labels.Selector {
	t.Helper()
	team, err := labels.Parse("team=a")
	if err != nil {
		t.Fatal(err)
	}
	return team
}

// selecting starts a replica that follows the pods in the namespaces of team a, and
// checks everything all the time.
func (w *world) selecting() *run {
	w.t.Helper()
	return w.checked(func(o *Options) { o.NamespaceSelector = teamA(w.t) })
}

// selects reports whether these namespaces are selected and no others.
func (r *run) selects(names ...string) bool {
	want := map[string]bool{}
	for _, name := range names {
		want[name] = true
	}
	r.namespaceSet.mu.RLock()
	defer r.namespaceSet.mu.RUnlock()
	return maps.Equal(r.namespaceSet.names, want)
}

// selectionChecks returns how often a check of the selection had a result.
func (r *run) selectionChecks(result string) float64 {
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

// deaf answers a watch as a connection does that brings nothing.
func deaf(rw http.ResponseWriter, r *http.Request) bool {
	query := r.URL.Query()
	if query.Get("watch") == "" || query.Get("sendInitialEvents") != "" {
		return false
	}
	rw.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(rw).Flush()
	<-r.Context().Done()
	return true
}

// restore has the world served by another cluster from here on, whose versions are
// older, and watches from a version that it does not have yet bring nothing. Once
// unchecked is set, no check is made.
func (w *world) restore(backup *simulator.Cluster) (unchecked *atomic.Bool) {
	unchecked = new(atomic.Bool)
	handler := backup.Handler()
	bend := func(rw http.ResponseWriter, r *http.Request) bool { //nolint:unparam // what bends may also decline
		query := r.URL.Query()
		switch {
		case unchecked.Load() && query.Get("limit") != "":
			refuse(rw)
		case watch.ParseVersion(query.Get("resourceVersion")) <= backup.ResourceVersion() || !deaf(rw, r):
			handler.ServeHTTP(rw, r)
		}
		return true
	}
	w.bend.Store(&bend)
	w.cluster.CloseWatches()
	return unchecked
}

func TestCheckMendsTheSelection(t *testing.T) {
	w := newWorld(t)
	w.namespace("ns0", "a")
	w.namespace("ns1", "b")
	w.pod(0, "n0") // in ns0
	w.pod(1, "n0") // in ns1
	r := w.selecting()
	eventually(t, "the pod in ns0", func() bool { return podsOn(r.samples())[string(uid(0))] })
	lost := deaf
	w.bend.Store(&lost)
	w.cluster.CloseWatches()
	w.namespace("ns0", "b")
	w.namespace("ns1", "a")
	eventually(t, "the selection is true again", func() bool {
		on := podsOn(r.samples())
		return r.selects("ns1") && len(on) == 1 && on[string(uid(1))]
	})
	eventually(t, "counted", func() bool { return r.selectionChecks(checkRepaired) > 0 })
}

// An API server that is restored from a backup has nothing to say to a watch from a
// version that it does not have yet.
func TestSelectionNoticesVersionsThatGoBack(t *testing.T) {
	w, backup := newWorld(t), newWorld(t)
	backup.namespace("ns0", "a")
	backup.namespace("ns1", "a")
	w.namespace("ns0", "a")
	for range 20 {
		w.namespace("ns2", "a")
	}
	r := w.selecting()
	eventually(t, "what there was", func() bool { return r.selects("ns0", "ns2") })
	unchecked := w.restore(backup.cluster)
	eventually(t, "what the backup has", func() bool { return r.selects("ns0", "ns1") })
	eventually(t, "counted", func() bool { return r.selectionChecks(checkReset) > 0 })
	unchecked.Store(true)
	backup.namespace("ns2", "a")
	eventually(t, "an event", func() bool { return r.selects("ns0", "ns1", "ns2") })
}

// A streamed list may name what was deleted while it came.
func TestNamespaceThatIsDeletedDuringAListIsNotSelected(t *testing.T) {
	s := &namespaceSet{changed: newLatest[struct{}](), names: map[string]bool{}}
	o := watch.Object{Meta: wire.Meta{Name: []byte("ns1")}}
	s.Put(o)
	s.Delete(o)
	s.Replace([]watch.ObjectRef{{Name: "ns1"}}, "5")
	if s.contains(o.Name) {
		t.Error("a namespace that is gone is selected")
	}
}

// What is selected at the start is no change.
func TestSelectionIsListedForOnceAtTheStart(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		network := newPipes()
		w := newWorldOn(t, network)
		w.namespace("ns0", "a")
		var lists atomic.Int32
		bend := func(_ http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/pods") && r.URL.Query().Get("sendInitialEvents") != "" {
				lists.Add(1)
			}
			return false
		}
		w.bend.Store(&bend)
		r := w.start(func(o *Options) {
			o.Config.Dial = network.dial
			o.NamespaceSelector = teamA(t)
		})
		r.assign(0, 1)
		r.waitReady()
		time.Sleep(10 * namespaceDebounce)
		if n := lists.Load(); n != 1 {
			t.Errorf("pods are listed %d times", n)
		}
	})
}

func TestSelectionIsVerifiedOnceAKindWasReset(t *testing.T) {
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
			o.NamespaceSelector = teamA(t)
			o.verify(40*time.Hour, 0)
		})
		r.assign(0, 1)
		r.waitReady()
		time.Sleep(time.Minute) // a watch that ends sooner is followed by a list
		w.restore(backup)
		time.Sleep(24 * time.Hour) // one of the kinds is compared by then, the selection may not
		if !r.selects("ns0") {
			t.Error("the selection is what it was before the backup was restored")
		}
	})
}
