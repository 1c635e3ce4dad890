package simulator

import (
	"context"
	"testing"
)

func TestTouchChangesItsShareOfEveryKind(t *testing.T) {
	for _, share := range []float64{0.1, 1} {
		cluster := New(Options{})
		if err := cluster.Populate(Scale(200)); err != nil {
			t.Fatal(err)
		}
		before := cluster.ResourceVersion()
		n, err := Touch{Share: share}.Run(t.Context(), cluster)
		if err != nil {
			t.Fatal(err)
		}
		want := int(float64(cluster.Len()) * share)
		if n < want-1 || n > want || cluster.ResourceVersion()-before != uint64(n) {
			t.Errorf("share %g of %d: %d changed, %d events", share, cluster.Len(), n, cluster.ResourceVersion()-before)
		}
		for gvr, collection := range cluster.collections {
			changed := 0
			items, _, _ := collection.state()
			for _, o := range items {
				if o.resourceVersion > before {
					changed++
				}
			}
			if want := int(float64(len(items)) * share); changed < want || changed > want+1 {
				t.Errorf("share %g: %d of %d %s", share, changed, len(items), gvr.Resource)
			}
		}
	}
}

func TestTouchReplacesObjects(t *testing.T) {
	cluster := New(Options{})
	if err := cluster.Populate(Scale(50)); err != nil {
		t.Fatal(err)
	}
	uids := func() map[uint64]bool {
		found := map[uint64]bool{}
		for _, collection := range cluster.collections {
			items, _, _ := collection.state()
			for _, o := range items {
				found[o.uidHash] = true
			}
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
	cluster := New(Options{})
	if err := cluster.Populate(Scale(200)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, err := (Touch{Share: 1, PerSecond: 1}).Run(ctx, cluster); err == nil || n > 100 {
		t.Errorf("%d changed, %v", n, err)
	}
}
