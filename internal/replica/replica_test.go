package replica

import (
	"fmt"
	"slices"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestUnionOfShardsIsTheUnshardedExposition(t *testing.T) {
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
	eventually(t, "the events on all shards", func() bool {
		union := []string{}
		for _, s := range shards {
			union = append(union, s.samples()...)
		}
		slices.Sort(union)
		want := all.samples()
		return len(podsIn(want)) == 100 && slices.Equal(union, want)
	})
	decoded := 0.0
	for _, s := range shards {
		decoded += s.rendered()
	}
	// Each version of an object is rendered by one shard, and some once more, because the watch may
	// repeat objects of the list.
	if most := all.rendered() * 1.1; decoded > most {
		t.Errorf("three shards rendered %v objects, want %v at most", decoded, most)
	}
}

func TestOnlyUndecodableObjectIsLeftOut(t *testing.T) {
	w := newWorld(t)
	const list = `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[
		{"metadata":{"name":"good","namespace":"a","uid":"u1","resourceVersion":"5"}},
		{"metadata":{"name":"bad","namespace":"a","uid":"u2","resourceVersion":"6"},"spec":"garbage"},
		{"metadata":{"name":"fine","namespace":"a","uid":"u3","resourceVersion":"7"}}]}`
	w.listsPods(list)
	r := w.start(nil)
	r.assign(0, 1)
	r.waitReady()
	if got := podsIn(r.samples()); len(got) != 2 || !got["u1"] || !got["u3"] {
		t.Errorf("got pods %v, want u1 and u3", got)
	}
	if r.value("statefleet_updates_total", "result", "failed") == 0 {
		t.Error("the undecodable object is not counted")
	}
}

// TestObjectsCreatedDuringTheFirstListStay checks that objects that arrive right after a streamed
// list are not removed as missing from the list.
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
		eventually(t, "all pods", func() bool { return len(podsIn(r.samples())) == 300 })
	}
}
