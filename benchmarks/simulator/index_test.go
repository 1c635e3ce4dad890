package simulator

import (
	"fmt"
	"maps"
	"slices"
	"testing"
)

// TestIndexEqualsAModel runs random changes against a plain map that is
// sorted whenever order is asked for.
func TestIndexEqualsAModel(t *testing.T) {
	random := newRandom(5)
	x, model := newIndex(), map[objectKey]*object{}
	for step := range 20_000 {
		key := objectKey{namespace: fmt.Sprintf("ns-%d", random.IntN(4)), name: fmt.Sprintf("%d", random.IntN(150))}
		switch random.IntN(10) {
		case 0:
			want := slices.SortedFunc(maps.Keys(model), objectKey.compare)
			got := x.snapshot()
			if len(got) != len(want) {
				t.Fatalf("step %d: %d objects, want %d", step, len(got), len(want))
			}
			for i, o := range got {
				if o.objectKey != want[i] || o != model[want[i]] {
					t.Fatalf("step %d: object %d is %v, want %v", step, i, o.objectKey, want[i])
				}
			}
			for _, o := range got.in(key.namespace) {
				if o.namespace != key.namespace {
					t.Fatalf("step %d: %v is in namespace %s", step, o.objectKey, key.namespace)
				}
			}
			rest := got.after(key)
			if len(rest) > 0 && rest[0].compare(key) <= 0 {
				t.Fatalf("step %d: %v is after %v", step, rest[0].objectKey, key)
			}
		case 1, 2, 3:
			if got := x.remove(key); got != model[key] {
				t.Fatalf("step %d: removed %v, want %v", step, got, model[key])
			}
			delete(model, key)
		default:
			o := &object{objectKey: key}
			if got := x.put(o); got != model[key] {
				t.Fatalf("step %d: replaced %v, want %v", step, got, model[key])
			}
			model[key] = o
		}
	}
}

func TestSnapshotsDoNotChange(t *testing.T) {
	x := newIndex()
	first := &object{objectKey: objectKey{name: "b"}}
	x.put(first)
	before := x.snapshot()
	x.put(&object{objectKey: objectKey{name: "b"}})
	x.put(&object{objectKey: objectKey{name: "a"}})
	x.remove(objectKey{name: "b"})
	if len(before) != 1 || before[0] != first {
		t.Errorf("the snapshot has become %v", before)
	}
}
