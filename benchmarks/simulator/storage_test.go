package simulator

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

// TestStorageIsAMapInOrder makes random changes and compares the storage and its
// snapshots with a plain map.
func TestStorageIsAMapInOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 0))
	c := New(Options{})
	storage, err := c.storageOf(pod("ns", "p"))
	if err != nil {
		t.Fatal(err)
	}
	model := map[objectKey]uint64{}
	type moment struct {
		snapshot
		model map[objectKey]uint64
	}
	var moments []moment
	for i := range 20_000 {
		p := pod(fmt.Sprint("ns-", random.IntN(5)), fmt.Sprint(random.IntN(400)))
		if _, exists := model[keyOf(p)]; exists && random.IntN(2) == 0 {
			delete(model, keyOf(p))
			if err := c.Delete(p); err != nil {
				t.Fatal(err)
			}
		} else {
			put(t, c, p)
			model[keyOf(p)] = c.ResourceVersion()
		}
		if i%1000 == 0 {
			moments = append(moments, moment{storage.state(), maps.Clone(model)})
		}
	}
	for _, m := range append(moments, moment{storage.state(), model}) {
		var got []objectKey
		for o := range m.all(objectKey{}) {
			if got = append(got, o.objectKey); m.model[o.objectKey] != o.resourceVersion {
				t.Fatalf("%v: got version %d, want %d", o.objectKey, o.resourceVersion, m.model[o.objectKey])
			}
		}
		if !slices.Equal(got, slices.SortedFunc(maps.Keys(m.model), objectKey.compare)) {
			t.Fatalf("got %d objects in the order %v, want %d in list order", len(got), got, len(m.model))
		}
		after := objectKey{namespace: fmt.Sprint("ns-", random.IntN(5)), name: fmt.Sprint(random.IntN(400))}
		rest := slices.DeleteFunc(slices.Clone(got), func(k objectKey) bool { return k.compare(after) <= 0 })
		everything := selector{fields: fields.Everything(), labels: labels.Everything()}
		checkPage(t, everything, m.snapshot, after, rest)
		everything.namespace = after.namespace
		rest = slices.DeleteFunc(rest, func(k objectKey) bool { return k.namespace != after.namespace })
		checkPage(t, everything, m.snapshot, after, rest)
	}
}

// checkPage reads pages with several limits and compares them with want, the keys
// that follow after.
func checkPage(t *testing.T, s selector, state snapshot, after objectKey, want []objectKey) {
	t.Helper()
	for _, limit := range []int{0, 1, 10, len(want), len(want) + 1} {
		items, remaining := s.page(state, after, int64(limit))
		n := len(want)
		if limit > 0 {
			n = min(n, limit)
		}
		var got []objectKey
		for _, o := range items {
			got = append(got, o.objectKey)
		}
		if !slices.Equal(got, want[:n]) || int(remaining) != len(want)-n {
			t.Fatalf("limit %d after %v: got %v, %d more, want %v, %d", limit, after, got, remaining, want[:n], len(want)-n)
		}
	}
}
