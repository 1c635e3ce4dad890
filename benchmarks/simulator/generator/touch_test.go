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
			t.Errorf("share %g of %d: %d changed, %d events", share, cluster.Len(), n, cluster.ResourceVersion()-before)
		}
		changed, all := map[string]int{}, map[string]int{}
		for name, obj := range stored(t, cluster) {
			resource, _, _ := strings.Cut(name, " ")
			all[resource]++
			if version, err := strconv.ParseUint(obj.GetResourceVersion(), 10, 64); err != nil || version > before {
				changed[resource]++
			}
		}
		for resource, n := range all {
			if want := int(float64(n) * share); changed[resource] < want || changed[resource] > want+1 {
				t.Errorf("share %g: %d of %d %s", share, changed[resource], n, resource)
			}
		}
	}
}

func TestTouchReplacesObjects(t *testing.T) {
	cluster := populated(t, Scale(50))
	uids := func() map[types.UID]bool {
		found := map[types.UID]bool{}
		for _, obj := range stored(t, cluster) {
			found[obj.GetUID()] = true
		}
		return found
	}
	objects, old, before := cluster.Len(), uids(), cluster.ResourceVersion()
	n, err := Touch{Share: 1, Replace: true}.Run(t.Context(), cluster)
	if err != nil || n != objects || cluster.Len() != objects || cluster.ResourceVersion()-before != uint64(2*n) {
		t.Errorf("%d of %d replaced, %d now, %d events, %v", n, objects, cluster.Len(), cluster.ResourceVersion()-before, err)
	}
	for uid := range uids() {
		if old[uid] {
			t.Fatal("an object has the uid it had")
		}
	}
}

func TestTouchEndsWithItsContext(t *testing.T) {
	cluster := populated(t, Scale(200))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := (Touch{Share: 1, PerSecond: 1}).Run(ctx, cluster); err == nil || n > 100 {
		t.Errorf("%d changed, %v", n, err)
	}
}
