package generator

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func TestTouchChangesItsShareOfEveryKind(t *testing.T) {
	for _, share := range []float64{0.1, 1} {
		cluster := populated(t, Scale(200))
		before := cluster.ResourceVersion()
		n, err := Touch{Share: share}.Run(t.Context(), cluster)
		if err != nil {
			t.Fatal(err)
		}
		want := int(float64(cluster.Len()) * share)
		if n < want-1 || n > want || cluster.ResourceVersion()-before != uint64(n) {
			t.Errorf("share %g of %d: got %d changed, %d events, want %d",
				share, cluster.Len(), n, cluster.ResourceVersion()-before, want)
		}
		changed, all := map[string]int{}, map[string]int{}
		for name, obj := range readAll(t, cluster) {
			resource, _, _ := strings.Cut(name, " ")
			all[resource]++
			if version, err := strconv.ParseUint(obj.GetResourceVersion(), 10, 64); err != nil || version > before {
				changed[resource]++
			}
		}
		for resource, n := range all {
			if want := int(float64(n) * share); changed[resource] < want || changed[resource] > want+1 {
				t.Errorf("share %g: got %d of %d %s changed, want %d", share, changed[resource], n, resource, want)
			}
		}
	}
}

func TestTouchReplacesObjects(t *testing.T) {
	cluster := populated(t, Scale(50))
	uids := func() map[types.UID]bool {
		found := map[types.UID]bool{}
		for _, obj := range readAll(t, cluster) {
			found[obj.GetUID()] = true
		}
		return found
	}
	objects, old, before := cluster.Len(), uids(), cluster.ResourceVersion()
	n, err := Touch{Share: 1, Replace: true}.Run(t.Context(), cluster)
	if err != nil || n != objects || cluster.Len() != objects || cluster.ResourceVersion()-before != uint64(2*n) {
		t.Errorf("got %d of %d replaced, %d now, %d events, error %v",
			n, objects, cluster.Len(), cluster.ResourceVersion()-before, err)
	}
	for uid := range uids() {
		if old[uid] {
			t.Fatal("a replaced object has its old UID")
		}
	}
}

func TestTouchEndsWithItsContext(t *testing.T) {
	cluster := populated(t, Scale(200))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := (Touch{Share: 1, PerSecond: 1}).Run(ctx, cluster); err == nil || n > 100 {
		t.Errorf("got %d changed, error %v, want at most 100 and an error", n, err)
	}
}
