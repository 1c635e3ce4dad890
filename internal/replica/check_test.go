package replica

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// Results of comparisons; see statefleet_consistency_checks_total.
const (
	checkEqual        = "equal"
	checkRepaired     = "repaired"
	checkReset        = "versions_reset"
	checkUnrepairable = "unrepairable"
	checkSkipped      = "skipped"
	checkFailed       = "failed"
)

// checked starts a replica that follows pods and checks them all the time.
func (w *world) checked(change func(*Options)) *run {
	r := w.start(func(o *Options) {
		o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return k.Name != "pods" })
		o.verify(time.Millisecond, time.Millisecond)
		if change != nil {
			change(o)
		}
	})
	r.assign(0, 1)
	r.waitReady()
	return r
}

func (r *run) checks(result string) float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "statefleet_consistency_checks_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "result" && l.GetValue() == result {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}

func idOf(i int) store.ID { return store.NewID(string(uid(i)), "", "") }

func TestCheckMendsWhatWasLost(t *testing.T) {
	w := newWorld(t)
	for i := range 10 {
		w.pod(i, "n0")
	}
	r := w.checked(nil)
	eventually(t, "a check that finds nothing", func() bool { return r.checks(checkEqual) > 0 })
	if n := r.checks(checkRepaired); n > 0 {
		t.Errorf("%v repairs of what is right", n)
	}

	pods := r.current()[0].store
	pods.Delete(idOf(3)) // as if its creation had never come
	eventually(t, "it is there again, and counted", func() bool {
		return podsOn(r.samples())[string(uid(3))] && r.value("statefleet_consistency_differences_total", "difference", "missing") > 0
	})
	ghost := store.Object{ID: idOf(77), Hash: shard.Hash(string(uid(77))), Version: 1}
	line := `kube_pod_info{uid="` + string(uid(77)) + `"} 1` + "\n"
	ends := make([]int, len(r.current()[0].Renderer.Families()))
	for i, f := range r.current()[0].Renderer.Families() {
		if f.Name == "kube_pod_info" || i > 0 && ends[i-1] > 0 {
			ends[i] = len(line)
		}
	}
	pods.Put(ghost, &store.Lines{Buf: []byte(line), Ends: ends}) // as if its deletion had not

	eventually(t, "it is gone, and counted", func() bool {
		return len(podsOn(r.samples())) == 10 && r.value("statefleet_consistency_differences_total", "difference", "extra") > 0
	})
}

func TestCheckFindsNothingUnderChurn(t *testing.T) {
	w := newWorld(t)
	r := w.checked(func(o *Options) { o.verify(time.Millisecond, 2*time.Second) })
	for i := range 300 {
		w.pod(i, "n0")
		if i%2 == 0 {
			w.removePod(i)
		}
		time.Sleep(time.Millisecond)
	}
	before := r.checks(checkEqual)
	eventually(t, "a check after the changes", func() bool { return r.checks(checkEqual) > before })
	if n := r.checks(checkRepaired); n > 0 {
		t.Errorf("%v repairs of what was on its way", n)
	}
}

// An object that cannot be rendered is missing, and a new list does not help.
func TestCheckGivesUpOnWhatCannotBeMended(t *testing.T) {
	w := newWorld(t)
	const list = `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[
		{"metadata":{"name":"good","namespace":"a","uid":"u1","resourceVersion":"5"}},
		{"metadata":{"name":"bad","namespace":"a","uid":"u2","resourceVersion":"6"},"spec":"garbage"}]}`
	w.listsPods(list)
	r := w.checked(nil)
	eventually(t, "nothing more is tried", func() bool { return r.checks(checkUnrepairable) > 0 })
	repairs := r.checks(checkRepaired)
	before := r.checks(checkUnrepairable)
	eventually(t, "some more checks", func() bool { return r.checks(checkUnrepairable) > before+3 })
	if now := r.checks(checkRepaired); repairs != 1 || now != repairs {
		t.Errorf("listed again %v times, and then %v", repairs, now)
	}
}

func TestCheckThatCannotBeMadeIsNoReasonToListAnew(t *testing.T) {
	w := newWorld(t)
	w.pod(1, "n0")
	r := w.checked(nil)
	bend := func(rw http.ResponseWriter, r *http.Request) bool {
		return r.URL.Query().Get("limit") != "" && refuse(rw)
	}
	w.bend.Store(&bend)
	eventually(t, "a check that fails", func() bool { return r.checks(checkFailed) > 0 })
	if n := r.checks(checkRepaired); n > 0 {
		t.Errorf("%v repairs", n)
	}
	if len(podsOn(r.samples())) != 1 {
		t.Error("the pod is gone")
	}
}

// An API server that is restored from a backup counts its versions from those of
// the backup. Watches from a version that it does not know bring nothing, or fail.
func TestVersionsThatGoBackAreNoticed(t *testing.T) {
	for name, silent := range map[string]bool{"watches are silent": true, "watches fail": false} {
		t.Run(name, func(t *testing.T) {
			w, backup := newWorld(t), newWorld(t)
			for i := range 5 {
				w.pod(i, "n0")
				backup.pod(i, "n0")
			}
			w.pod(1, "n1")
			w.removePod(2)
			w.pod(7, "n0")
			r := w.checked(func(o *Options) { o.Kinds = builtin(t, resources.All()) })
			eventually(t, "what there was", func() bool {
				on := podsOn(r.samples())
				return len(on) == 5 && on[string(uid(7))]
			})
			bend := func(rw http.ResponseWriter, r *http.Request) bool { //nolint:unparam // what bends may also decline
				query := r.URL.Query()
				if silent && query.Get("watch") != "" && watch.ParseVersion(query.Get("resourceVersion")) > backup.cluster.ResourceVersion() {
					rw.WriteHeader(http.StatusOK)
					_ = http.NewResponseController(rw).Flush()
					<-r.Context().Done()
					return true
				}
				backup.cluster.Handler().ServeHTTP(rw, r)
				return true
			}
			w.bend.Store(&bend)
			w.cluster.CloseWatches()
			eventually(t, "what the backup has", func() bool {
				on := podsOn(r.samples())
				return len(on) == 5 && on[string(uid(2))] && !on[string(uid(7))] && !r.podsRunOn("n1")
			})
			if r.checks(checkReset) == 0 {
				t.Error("not counted")
			}
			backup.pod(1, "n2")
			eventually(t, "an event", func() bool { return r.podsRunOn("n2") })
		})
	}
}

// TestDeletionThatABackupUndoesIsForgotten: the kind was listed from the backup before a check ran, so no object that the replica
// holds is newer than the API server's. Only a tombstone is left from before, of an object that the backup has.
func TestDeletionThatABackupUndoesIsForgotten(t *testing.T) {
	w, backup := newWorld(t), newWorld(t)
	for i := range 5 {
		w.pod(i, "n0")
		backup.pod(i, "n0")
	}
	r := w.checked(nil)
	w.removePod(2)
	eventually(t, "four pods", func() bool { return len(podsOn(r.samples())) == 4 })
	var checks, listed atomic.Bool
	bend := func(rw http.ResponseWriter, r *http.Request) bool { //nolint:unparam // what bends may also decline
		if strings.Contains(r.Header.Get("Accept"), "PartialObjectMetadataList") && !checks.Load() {
			rw.WriteHeader(http.StatusInternalServerError)
			return true
		}
		if query := r.URL.Query(); query.Has("sendInitialEvents") && query.Get("resourceVersion") == "" {
			listed.Store(true)
		}
		backup.cluster.Handler().ServeHTTP(rw, r)
		return true
	}
	w.bend.Store(&bend)
	w.cluster.CloseWatches()
	eventually(t, "a list of the backup", listed.Load)
	backup.pod(1, "n1")
	eventually(t, "an event of the backup, behind its list", func() bool { return r.podsRunOn("n1") })
	checks.Store(true)
	eventually(t, "the pod that is there again", func() bool { return podsOn(r.samples())[string(uid(2))] })
	if r.checks(checkReset) == 0 {
		t.Error("not counted")
	}
}

func (r *run) podsRunOn(node string) bool {
	return slices.ContainsFunc(r.samples(), func(l string) bool {
		return strings.HasPrefix(l, "kube_pod_info{") && strings.Contains(l, `node="`+node+`"`)
	})
}

// One answer of a server that is confused must not turn everything back.
func TestOneOldListIsNoRestart(t *testing.T) {
	w, old := newWorld(t), newWorld(t)
	for i := range 5 {
		w.pod(i, "n0")
	}
	r := w.checked(nil)
	var once atomic.Bool
	bend := func(rw http.ResponseWriter, r *http.Request) bool {
		odd := r.URL.Query().Get("limit") != "" && once.CompareAndSwap(false, true)
		if odd {
			old.cluster.Handler().ServeHTTP(rw, r)
		}
		return odd
	}
	w.bend.Store(&bend)
	eventually(t, "a check that finds nothing to do", func() bool { return once.Load() && r.checks(checkSkipped) > 0 })
	if n := r.checks(checkReset) + r.checks(checkRepaired); n > 0 || len(podsOn(r.samples())) != 5 {
		t.Errorf("%v repairs, %d pods", n, len(podsOn(r.samples())))
	}
}

// An object that a list has removed without an event must not come back with an
// older list.
func TestOldListDoesNotBringBackWhatVanished(t *testing.T) {
	w := newWorld(t)
	const (
		first  = `{"metadata":{"name":"a","namespace":"a","uid":"u1","resourceVersion":"5"}}`
		second = `{"metadata":{"name":"b","namespace":"a","uid":"u2","resourceVersion":"6"}}`
	)
	lists := func(version string, items ...string) {
		w.listsPods(`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"` + version + `"},"items":[` + strings.Join(items, ",") + `]}`)
	}
	lists("9", first, second)
	r := w.checked(func(o *Options) {
		o.Verifier = nil
		o.Backoff = wait.Backoff{Duration: time.Millisecond, Steps: 100, Cap: time.Millisecond}
	})
	lists("12", first)
	eventually(t, "one pod", func() bool { return len(podsOn(r.samples())) == 1 })
	lists("9", first, second)
	until := r.value("kube_state_metrics_list_total", "result", "success") + 5
	eventually(t, "some more lists", func() bool {
		if n := len(podsOn(r.samples())); n != 1 {
			t.Fatalf("%d pods", n)
		}
		return r.value("kube_state_metrics_list_total", "result", "success") > until
	})
}

// Objects that no API server should have: whatever is made of them, no series is on
// the page twice, and they go with the list that leaves them out.
func TestObjectsThatShareTheirIdentity(t *testing.T) {
	w := newWorld(t)
	list := func(version string, items ...string) {
		w.listsPods(`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"` + version + `"},"items":[` + strings.Join(items, ",") + `]}`)
	}
	list("20",
		`{"metadata":{"name":"a","namespace":"a","uid":"u1","resourceVersion":"5"}}`,
		`{"metadata":{"name":"b","namespace":"a","uid":"u1","resourceVersion":"6"}}`,
		`{"metadata":{"name":"c","namespace":"a","uid":"u2","resourceVersion":"7"}}`,
		`{"metadata":{"name":"c","namespace":"a","uid":"u3","resourceVersion":"8"}}`,
		`{"metadata":{"namespace":"a","uid":"u4","resourceVersion":"9"}}`,
		`{"metadata":{"namespace":"a","uid":"u5","resourceVersion":"10"}}`,
		`{"metadata":{"name":"d","namespace":"a","resourceVersion":"11"}}`,
		`{"metadata":{"name":"d","namespace":"a","resourceVersion":"11"}}`,
		`{"metadata":{}}`)
	r := w.checked(func(o *Options) {
		o.Verifier = nil
		o.Backoff = wait.Backoff{Duration: time.Millisecond, Steps: 100, Cap: time.Millisecond}
	})
	on := podsOn(r.samples())
	for uid, want := range map[string]bool{"u1": true, "u2": false, "u3": true, "u4": false, "u5": true} {
		if on[uid] != want {
			t.Errorf("%s is on the page: %t", uid, on[uid])
		}
	}
	list("21")
	eventually(t, "an empty page", func() bool { return len(r.samples()) == 0 })
}
