package replica

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/statefleet/statefleet/internal/savedstate"
	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/store"
)

// stateDir is a directory with a saved state.
type stateDir struct {
	t *testing.T
	*savedstate.Dir
	fingerprint string
	registry    *prometheus.Registry
}

// loaded reports whether a replica has used the state.
func (d *stateDir) loaded() bool {
	r := run{t: d.t, registry: d.registry}
	return r.value("statefleet_saved_state_reads_total", "result", "loaded") > 0
}

func newStateDir(t *testing.T) *stateDir {
	registry := prometheus.NewPedanticRegistry()
	d := &stateDir{t, savedstate.New(t.TempDir(), savedstate.NewMetrics(registry), slog.New(slog.DiscardHandler)), "", registry}
	t.Cleanup(d.Close)
	return d
}

// use makes a replica read the state of the directory.
func (d *stateDir) use(o *Options) {
	o.ReadState = func(read func(*savedstate.Reader) error) bool { return d.Read(d.fingerprint, read) }
}

// save saves the state of a replica.
func (d *stateDir) save(r *run) bool {
	return d.Write(context.Background(), d.fingerprint, 0, r.SaveState)
}

// restart ends a replica, and starts another one with its state.
func (d *stateDir) restart(w *world, r *run, change func(*Options)) *run {
	d.t.Helper()
	r.stop()
	if !d.save(r) {
		d.t.Fatal("the state was not saved")
	}
	return w.start(func(o *Options) {
		if change != nil {
			change(o)
		}
		d.use(o)
	})
}

// forgetEvents changes two pods, and makes the API server forget all events before the second one.
func (w *world) forgetEvents(first int) {
	for i := first; i < first+2; i++ {
		w.pod(i, fmt.Sprint("n", i))
		w.cluster.Compact()
	}
}

// countLists counts the lists of objects, streamed or not, except those that ask for the present
// version.
func (w *world) countLists() *atomic.Int64 {
	var lists atomic.Int64
	w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		q := r.URL.Query()
		if q.Get("limit") != "1" && (q.Get("watch") == "" || q.Get("sendInitialEvents") != "") {
			lists.Add(1)
		}
		return false
	})
	return &lists
}

func TestReplicaContinuesFromSavedStateWithoutListing(t *testing.T) {
	t.Parallel()
	w, d := populatedWorld(t), newStateDir(t)
	kinds := func(o *Options) { o.only("pods", "nodes") }
	w.put(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n0"}})
	before := w.start(kinds)
	before.assign(0, 1)
	before.waitReady()
	want := before.samples()
	lists := w.countLists()
	after := d.restart(w, before, kinds)
	after.assign(0, 1)
	after.waitReady()
	if got := after.samples(); !slices.Equal(got, want) {
		t.Errorf("got %d samples after the restart, want the same %d as before", len(got), len(want))
	}
	if n := after.rendered(); n != 0 {
		t.Errorf("%v objects were decoded after the restart, want none", n)
	}
	if n := lists.Load(); n != 0 {
		t.Errorf("got %d lists after the restart, want none", n)
	}
	w.pod(1, "n7")
	eventually(t, "an event after the restart", func() bool { return after.podsRunOn("n7") })
}

func TestChangesDuringRestartAreServedWhenReady(t *testing.T) {
	t.Parallel()
	w, d := populatedWorld(t), newStateDir(t)
	before := w.start(podsOnly)
	before.assign(0, 1)
	before.waitReady()
	before.stop()
	d.save(before)
	w.removePod(3)
	w.removePod(4)
	w.pod(4, "n4") // created again with the same name and UID
	w.pod(5, "n5")
	w.pod(podCount, "n6")
	after := w.start(func(o *Options) { podsOnly(o); d.use(o) })
	after.assign(0, 1)
	for after.Ready() != nil {
		if after.samples() != nil && after.Ready() != nil {
			t.Fatal("samples are served before the replica is ready")
		}
	}
	lines := after.samples()
	if uids := podsIn(lines); uids[string(uid(3))] || !uids[string(uid(4))] || !uids[string(uid(podCount))] || len(uids) != podCount {
		t.Errorf("%d pods are served, want %d without the deleted one; served deleted one: %t", len(uids), podCount, uids[string(uid(3))])
	}
	for _, node := range []string{"n4", "n5", "n6"} {
		if !after.podsRunOn(node) {
			t.Errorf("no pod is served that runs on %s", node)
		}
	}
	if n := after.rendered(); n != 3 {
		t.Errorf("%v objects were decoded, want the 3 that have changed", n)
	}
}

func TestSavedStateIsListedWithoutDecodingAfterGone(t *testing.T) {
	t.Parallel()
	w, d := populatedWorld(t), newStateDir(t)
	before := w.start(podsOnly)
	before.assign(0, 1)
	before.waitReady()
	before.stop()
	d.save(before)
	w.removePod(3)
	w.pod(5, "n5")
	w.cluster.Compact()
	w.pod(6, "n6")
	w.cluster.Compact()
	after := w.start(func(o *Options) { podsOnly(o); d.use(o) })
	after.assign(0, 1)
	after.waitReady()
	if uids := podsIn(after.samples()); uids[string(uid(3))] || len(uids) != podCount-1 {
		t.Errorf("%d pods are served, want %d without the deleted one; served deleted one: %t", len(uids), podCount-1, uids[string(uid(3))])
	}
	if n := after.rendered(); n != 2 {
		t.Errorf("%v objects were decoded, want the 2 that have changed", n)
	}
	if n := after.value("statefleet_updates_total", "result", "stale"); n < podCount-3 {
		t.Errorf("%v listed objects are counted as stale, want %d or more", n, podCount-3)
	}
}

func TestObjectsOfSavedStateAreDroppedWhenTheResourceIsRefused(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"first request", "after 410"} {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			w, d := populatedWorld(t), newStateDir(t)
			kinds := func(o *Options) {
				o.only("pods", "nodes")
				o.ForbiddenGrace = 1
			}
			w.put(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n0"}})
			before := w.start(kinds)
			before.assign(0, 1)
			before.waitReady()
			if from == "after 410" {
				w.pod(1, "n1")
				w.cluster.Compact()
			}
			var refused atomic.Bool
			refused.Store(true)
			after := d.restart(w, before, func(o *Options) {
				kinds(o)
				w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
					all := from == "first request" || r.URL.Query().Get("limit") != "1" && r.URL.Query().Get("timeoutSeconds") != "3"
					return all && refused.Load() && strings.HasSuffix(r.URL.Path, "/pods") && refuse(rw)
				})
				if from == "after 410" {
					w.forgetEvents(2)
				}
			})
			after.assign(0, 1)
			after.waitReady()
			if uids := podsIn(after.samples()); len(uids) > 0 {
				t.Errorf("%d pods are served that no request has confirmed, want none", len(uids))
			}
			refused.Store(false)
			eventually(t, "all pods", func() bool { return len(podsIn(after.samples())) == podCount })
		})
	}
}

func TestConfirmedObjectsOfSavedStateStayWhenTheResourceIsRefusedLater(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"caught up", "listed"} {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			w, d := populatedWorld(t), newStateDir(t)
			before := w.start(podsOnly)
			before.assign(0, 1)
			before.waitReady()
			lists := w.countLists()
			after := d.restart(w, before, func(o *Options) {
				podsOnly(o)
				if from == "listed" {
					w.forgetEvents(1)
				}
			})
			after.assign(0, 1)
			after.waitReady()
			if listed := lists.Load() > 0; listed != (from == "listed") {
				t.Fatalf("listed after the restart is %t, want %t", listed, from == "listed")
			}
			var refused atomic.Int64
			w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/pods") {
					return false
				}
				refused.Add(1)
				return refuse(rw)
			})
			after.requestRelist(t.Context(), after.current()[0])
			eventually(t, "two refused lists", func() bool { return refused.Load() >= 2 })
			if n := len(podsIn(after.samples())); n != podCount {
				t.Errorf("%d of %d pods are served while the API server refuses to list them again", n, podCount)
			}
		})
	}
}

func TestSavedStateWithNewerVersionsThanTheAPIServerIsDropped(t *testing.T) {
	t.Parallel()
	w, d := populatedWorld(t), newStateDir(t)
	before := w.start(podsOnly)
	before.assign(0, 1)
	before.waitReady()
	before.stop()
	d.save(before)
	restored := newWorld(t) // fewer versions, as after a restored backup
	restored.pod(0, "restored")
	after := restored.start(func(o *Options) { podsOnly(o); d.use(o) })
	after.assign(0, 1)
	after.waitReady()
	if uids := podsIn(after.samples()); len(uids) != 1 || !after.podsRunOn("restored") {
		t.Errorf("%d pods are served, want the one of the backup", len(uids))
	}
}

func TestSavedStateOfOtherRangesIsUsedOnlyIfItHasAllOfThem(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after int
		loaded        bool
	}{"the same": {3, 3, true}, "fewer": {2, 3, true}, "more": {3, 2, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, d := populatedWorld(t), newStateDir(t)
			before := w.start(podsOnly)
			before.assign(0, c.before)
			before.waitReady()
			after := d.restart(w, before, podsOnly)
			after.assign(0, c.after)
			after.waitReady()
			after.wantServes(0, c.after)
			if held := after.podsHeld(); held != len(podsIn(after.samples())) {
				t.Errorf("%d pods are held, want only the visible ones", held)
			}
			if loaded := after.rendered() == 0; loaded != c.loaded {
				t.Errorf("loaded is %t, want %t", loaded, c.loaded)
			}
		})
	}
}

func TestReplicaSavesNothingBeforeItIsComplete(t *testing.T) {
	t.Parallel()
	w, d := populatedWorld(t), newStateDir(t)
	r := w.start(podsOnly)
	if d.save(r) {
		t.Error("a replica without a shard has saved a state")
	}
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/pods") && refuse(rw)
	})
	r.assign(0, 1)
	if d.save(r) {
		t.Error("a replica whose only kind is refused has saved a state")
	}
}

func TestResumePointsAreThoseOfTheCompleteKinds(t *testing.T) {
	t.Parallel()
	w := populatedWorld(t)
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/nodes") && refuse(rw)
	})
	r := w.start(func(o *Options) {
		o.only("pods", "nodes")
		o.ForbiddenGrace = 1
	})
	version := func(name string) uint64 {
		for _, k := range r.current() {
			if p := r.resumePointOf(k); p != nil && k.Name == name {
				return watch.ParseVersion([]byte(p.versions[0]))
			}
		}
		return 0
	}
	if v := version("pods"); v != 0 {
		t.Errorf("got version %d of pods before anything was listed, want none", v)
	}
	r.assign(0, 1)
	r.waitReady()
	before := version("pods")
	if v := version("nodes"); before == 0 || v != 0 {
		t.Errorf("got version %d of pods and %d of nodes, want one of pods only", before, v)
	}
	w.pod(1, "n1")
	eventually(t, "a newer version", func() bool { return version("pods") > before })
}

func TestSeveralNamespacesAreResumed(t *testing.T) {
	t.Parallel()
	w, d := populatedWorld(t), newStateDir(t)
	namespaces := func(o *Options) { podsOnly(o); o.Namespaces = []string{"ns0", "ns2"} }
	before := w.start(namespaces)
	before.assign(0, 1)
	before.waitReady()
	lists := w.countLists()
	after := d.restart(w, before, namespaces)
	w.removePod(3) // of ns0
	w.removePod(5) // of ns2
	after.assign(0, 1)
	after.waitReady()
	uids := podsIn(after.samples())
	if len(uids) != podCount*2/3-2 || uids[string(uid(3))] || uids[string(uid(5))] {
		t.Errorf("%d pods are served, want %d without the deleted ones", len(uids), podCount*2/3-2)
	}
	if n := lists.Load(); n != 0 {
		t.Errorf("got %d lists after the restart, want none", n)
	}
	after.requestRelist(t.Context(), after.current()[0])
	eventually(t, "one more list of each namespace", func() bool { return lists.Load() == 2 })
}

func TestSavedStateIsUsedForTheSameNamespacesOnly(t *testing.T) {
	t.Parallel()
	for name, moves := range map[string]bool{"unchanged": false, "another is selected": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, d := populatedWorld(t), newStateDir(t)
			for _, ns := range []string{"ns0", "ns1", "ns2"} {
				w.namespace(ns, "team-"+ns)
			}
			selected := func(o *Options) {
				podsOnly(o)
				o.NamespaceSelector, _ = labels.Parse("team in (team-ns0, team-moved)")
			}
			before := w.start(selected)
			before.assign(0, 1)
			before.waitReady()
			before.stop()
			d.save(before)
			want := podCount / 3
			if moves {
				w.namespace("ns1", "team-moved")
				want *= 2
			}
			after := w.start(func(o *Options) { selected(o); d.use(o) })
			after.assign(0, 1)
			after.waitReady()
			if n := len(podsIn(after.samples())); n != want {
				t.Errorf("%d pods are served, want %d", n, want)
			}
			if resumed := after.rendered() == 0; resumed == moves {
				t.Errorf("resumed is %t, want %t", resumed, !moves)
			}
		})
	}
}

func TestNameThatWasTakenWhileTheStateWasSavedBelongsToTheLaterObject(t *testing.T) {
	t.Parallel()
	w, d := populatedWorld(t), newStateDir(t)
	before := w.start(podsOnly)
	before.assign(0, 1)
	before.waitReady()
	k := before.current()[0]
	names := k.names.all()
	old := k.store.Stats().Objects
	w.deletePod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns0", Name: "p0"}})
	w.put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns0", Name: "p0", UID: uid(podCount)}})
	eventually(t, "the new pod has the name", func() bool { return k.store.Contains(idOf(podCount)) && !k.store.Contains(idOf(0)) })
	later := k.names.changesSince(names)
	if len(later) != 1 {
		t.Fatalf("changesSince returned %d names, want 1", len(later))
	}
	after := w.start(func(o *Options) { podsOnly(o); d.use(o) })
	restored := after.current()[0]
	for _, id := range []store.ID{idOf(0), idOf(podCount)} { // both were saved, at different moments
		restored.store.Put(store.Object{ID: id, Version: 1}, &store.Lines{})
	}
	restored.restoreNames(k.names.key, names, later)
	if restored.store.Contains(idOf(0)) || !restored.store.Contains(idOf(podCount)) {
		t.Error("the earlier object was kept, or the later one was not")
	}
	if got := len(restored.names.all()); got != old {
		t.Errorf("got %d names, want %d", got, old)
	}
}

func FuzzParseFrame(f *testing.F) {
	renderer := builtinKind(f, "pods").Renderer
	for frameType := bucketFrame; frameType <= kindEndFrame; frameType++ {
		f.Add(frameType, []byte("0123456789012345678901234567890123456789"))
		f.Add(frameType, []byte{1})
	}
	f.Fuzz(func(t *testing.T, frameType byte, payload []byte) {
		l := &loadedKind{kind: &kind{store: store.New(families(renderer), nil), sharedSeries: &sharedSeries{}}, names: map[uint64]store.ID{}}
		if l.parseFrame(frameType, payload) != nil {
			return
		}
		if n := len(l.names) + len(l.later) + len(l.owned) + len(l.leftOut) + len(l.truncated); n > len(payload) {
			t.Errorf("parsed %d values from %d bytes, want no more values than bytes", n, len(payload))
		}
	})
}

func builtinKind(t testing.TB, name string) Kind {
	t.Helper()
	all, err := Builtin(resources.All(), resources.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(k Kind) bool { return k.Name == name })
	return all[i]
}

func TestSeriesThatObjectsShareAreSaved(t *testing.T) {
	a, b := idOf(1), idOf(2)
	s := &sharedSeries{key: store.NewHashKey(), owners: map[uint64]store.ID{7: a, 8: a, 9: b}, total: 2,
		owned: map[store.ID][]uint64{a: {7, 8}, b: {9}}, leftOut: map[store.ID][]uint64{b: {7, 8}}}
	l := &loadedKind{}
	if err := l.parseFrame(sharedFrame, s.encode()); err != nil {
		t.Fatal(err)
	}
	restored := &sharedSeries{}
	restored.restore(s.key, l.owned, l.leftOut)
	if !reflect.DeepEqual(restored, s) {
		t.Errorf("restored %v, want %v", restored, s)
	}
}
