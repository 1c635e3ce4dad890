package replica

import (
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/statefleet/statefleet/internal/wire"
	"github.com/statefleet/statefleet/watch"
)

// namespace makes or changes a namespace.
func (w *world) namespace(name, team string) {
	w.t.Helper()
	w.put(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"team": team}}})
}

// selecting starts a replica that follows the pods in the namespaces of team a, and
// checks everything all the time.
func (w *world) selecting() *run {
	w.t.Helper()
	team, err := labels.Parse("team=a")
	if err != nil {
		w.t.Fatal(err)
	}
	return w.checked(func(o *Options) { o.NamespaceSelector = team })
}

// selects reports whether these namespaces are selected and no others.
func (r *run) selects(names ...string) bool {
	want := map[string]bool{}
	for _, name := range names {
		want[name] = true
	}
	r.selection.mu.RLock()
	defer r.selection.mu.RUnlock()
	return maps.Equal(r.selection.names, want)
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

// deaf answers a watch of namespaces as a connection does that brings nothing.
func deaf(rw http.ResponseWriter, r *http.Request) bool {
	query := r.URL.Query()
	if !strings.HasSuffix(r.URL.Path, "/namespaces") || query.Get("watch") == "" || query.Get("sendInitialEvents") != "" {
		return false
	}
	rw.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(rw).Flush()
	<-r.Context().Done()
	return true
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
	var unchecked atomic.Bool
	bend := func(rw http.ResponseWriter, r *http.Request) bool { //nolint:unparam // what bends may also decline
		query := r.URL.Query()
		switch {
		case unchecked.Load() && query.Get("limit") != "":
			refuse(rw)
		case parseVersion(query.Get("resourceVersion")) <= backup.cluster.ResourceVersion() || !deaf(rw, r):
			backup.cluster.Handler().ServeHTTP(rw, r)
		}
		return true
	}
	w.bend.Store(&bend)
	w.cluster.CloseWatches()
	eventually(t, "what the backup has", func() bool { return r.selects("ns0", "ns1") })
	eventually(t, "counted", func() bool { return r.selectionChecks(checkRestarted) > 0 })
	unchecked.Store(true)
	backup.namespace("ns2", "a")
	eventually(t, "an event", func() bool { return r.selects("ns0", "ns1", "ns2") })
}

// A streamed list may name what was deleted while it came.
func TestNamespaceThatIsDeletedDuringAListIsNotSelected(t *testing.T) {
	s := &selection{changed: newLatest[struct{}](), names: map[string]bool{}}
	o := watch.Object{Meta: wire.Meta{Name: []byte("ns1")}}
	s.Put(o)
	s.Delete(o)
	s.Retain([]*watch.Handle{{Name: "ns1"}}, "5")
	if s.wants(o.Name) {
		t.Error("a namespace that is gone is selected")
	}
}
