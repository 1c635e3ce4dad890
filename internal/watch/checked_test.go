package watch

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

func TestCheckedListsAnewWhatWasLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	want := map[string]string{}
	for _, name := range []string{"kept", "changed", "deleted"} {
		want[name] = namespace(t, w.cluster, name)
	}
	c := w.checkNamespaces()
	c.holds("the list", want)
	counted(t, "a check that finds nothing", c.n.Equal)
	if n := testutil.ToFloat64(c.n.Repaired); n > 0 {
		t.Fatalf("%v repairs of what is right", n)
	}
	want["kept"] = namespace(t, w.cluster, "kept") // so that the watch has brought something
	c.holds("an event", want)

	w.setBend(deaf)
	w.cluster.CloseWatches()
	want["changed"] = namespace(t, w.cluster, "changed")
	want["created"] = namespace(t, w.cluster, "created")
	if err := w.cluster.Delete(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "deleted"}}); err != nil {
		t.Fatal(err)
	}
	delete(want, "deleted")
	c.holds("the list now", want)
	counted(t, "listed again", c.n.Repaired)
	counted(t, "what was missing", c.n.Missing)
	if n := testutil.ToFloat64(c.n.Restarted); n > 0 {
		t.Errorf("%v times versions are said to have gone back", n)
	}
	if !c.checked.Status().Synced {
		t.Error("it was synced, and is not any more")
	}
}

func TestCheckedNoticesVersionsThatGoBack(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]func(t *testing.T, c *simulator.Cluster){
		"by an object that is held": func(t *testing.T, c *simulator.Cluster) { namespace(t, c, "kept") },
		"by one that is gone": func(t *testing.T, c *simulator.Cluster) {
			namespace(t, c, "gone")
			if err := c.Delete(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "gone"}}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, backup := newWorld(t, simulator.Options{}), simulator.New(simulator.Options{})
			before := map[string]string{"kept": namespace(t, backup, "kept"), "deleted": namespace(t, backup, "deleted")}
			held := map[string]string{"kept": namespace(t, w.cluster, "kept"), "created": namespace(t, w.cluster, "created")}
			w.setBend(unchecked) // until there is nothing on its way
			c := w.checkNamespaces()
			c.holds("the list", held)
			last(t, w.cluster) // after the list
			namespace(t, w.cluster, "created")
			eventually(t, "events", func() bool {
				_, newest := c.checked.current.Load().held.now()
				return newest == w.cluster.ResourceVersion()
			})
			failed := testutil.ToFloat64(c.n.Failed)
			eventually(t, "a check that knows of them", func() bool { return testutil.ToFloat64(c.n.Failed) > failed+1 })

			blind := w.backup(backup)
			c.holds("what the backup has", before)
			counted(t, "counted", c.n.Restarted)

			blind.Store(true)
			before["later"] = namespace(t, backup, "later")
			c.holds("an event", before)
		})
	}
}

// One answer of a server that is confused must not turn everything back.
func TestCheckedAsksAgainBeforeItTurnsBack(t *testing.T) {
	t.Parallel()
	w, old := newWorld(t, simulator.Options{}), simulator.New(simulator.Options{})
	held := map[string]string{}
	for _, name := range strings.Fields("a b c") {
		held[name] = namespace(t, w.cluster, name)
	}
	c := w.checkNamespaces()
	c.holds("the list", held)
	var once atomic.Bool
	w.setBend(func(rw http.ResponseWriter, r *http.Request) bool {
		odd := r.URL.Query().Get("limit") != "" && once.CompareAndSwap(false, true)
		if odd {
			old.Handler().ServeHTTP(rw, r)
		}
		return odd
	})
	counted(t, "a check that is not believed", c.n.Skipped)
	if n := testutil.ToFloat64(c.n.Restarted) + testutil.ToFloat64(c.n.Repaired); n > 0 || !c.is(held) {
		t.Errorf("listed again %v times", n)
	}
}

func TestCheckedCountsWhatCannotBeCompared(t *testing.T) {
	t.Parallel()
	w := newWorld(t, simulator.Options{})
	held := map[string]string{"a": namespace(t, w.cluster, "a")}
	w.setBend(unchecked)
	c := w.checkNamespaces()
	c.holds("the list", held)
	counted(t, "a check that fails", c.n.Failed)
	if n := testutil.ToFloat64(c.n.Restarted) + testutil.ToFloat64(c.n.Repaired); n > 0 || !c.is(held) {
		t.Errorf("listed again %v times", n)
	}
}

// What differs twice in a row is wrong only if it is the same that differs.
func TestDifferencesThatAreEventsOnTheirWay(t *testing.T) {
	t.Parallel()
	first := differences{
		missing: map[string]lag{"created": {5, 0}, "lost": {5, 0}, "changed": {5, 4}, "stuck": {5, 4}, "odd": {0, 0}},
		surplus: map[string]uint64{"deleted": 4, "ghost": 4, "again": 4},
	}
	again := differences{
		missing: map[string]lag{"lost": {5, 0}, "changed": {9, 8}, "stuck": {9, 4}, "new": {9, 0}, "odd": {0, 0}},
		surplus: map[string]uint64{"ghost": 4, "again": 8, "late": 4},
	}
	if missing, surplus := again.since(first); missing != 3 || surplus != 1 {
		t.Errorf("%d missing and %d surplus, want lost, stuck and odd, and ghost", missing, surplus)
	}
}
