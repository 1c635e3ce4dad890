package replica

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// checked starts a replica that follows pods and checks them all the time.
func (w *world) checked(change func(*Options)) *run {
	r := w.start(func(o *Options) {
		o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return k.Name != "pods" })
		o.CheckEvery, o.CheckGrace = time.Millisecond, time.Millisecond
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
	pods.Delete(idOf(3)) // as if its creation had never been heard of
	// One after the other: the list that mends the first would end the second uncounted.
	eventually(t, "what was missing is back", func() bool { return podsOn(r.samples())[string(uid(3))] })

	ghost := store.Object{ID: idOf(77), Hash: shard.Hash(string(uid(77))), Version: 1}
	line := `kube_pod_info{uid="` + string(uid(77)) + `"} 1` + "\n"
	ends := make([]int, len(r.current()[0].Renderer.Families()))
	for i, f := range r.current()[0].Renderer.Families() {
		if f.Name == "kube_pod_info" || i > 0 && ends[i-1] > 0 {
			ends[i] = len(line)
		}
	}
	pods.Put(ghost, &store.Lines{Buf: []byte(line), Ends: ends}) // as if its deletion had not

	eventually(t, "the page is true again", func() bool {
		on := podsOn(r.samples())
		return len(on) == 10 && on[string(uid(3))] && !on[string(uid(77))]
	})
	if r.value("statefleet_consistency_differences_total", "difference", "missing") == 0 ||
		r.value("statefleet_consistency_differences_total", "difference", "surplus") == 0 {
		t.Error("the differences were not counted")
	}
}

func TestCheckFindsNothingUnderChurn(t *testing.T) {
	w := newWorld(t)
	r := w.checked(func(o *Options) { o.CheckGrace = 2 * time.Second })
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
	eventually(t, "nothing more is tried", func() bool { return r.checks(checkHopeless) > 0 })
	repairs := r.checks(checkRepaired)
	before := r.checks(checkHopeless)
	eventually(t, "some more checks", func() bool { return r.checks(checkHopeless) > before+3 })
	if now := r.checks(checkRepaired); repairs != 1 || now != repairs {
		t.Errorf("listed anew %v times, and then %v", repairs, now)
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
