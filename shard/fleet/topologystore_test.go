package fleet

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	k8stesting "k8s.io/client-go/testing"

	"github.com/statefleet/statefleet/internal/testing/faketime"
)

// A ConfigMap that was read stays usable for a grace period when reads are denied.
func TestForbiddenTopologyBecomesUnusable(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 1, configMapWith(topology{Generation: 4, Active: 1, Set: "set", Revision: 1}))
		var forbidden atomic.Bool
		f.client.PrependWatchReactor("configmaps", func(k8stesting.Action) (bool, watch.Interface, error) {
			return forbidden.Load(), nil, apierrors.NewForbidden(configMaps.GroupResource(), "fleet-topology", nil)
		})
		store := f.startReplica(0).await().store
		if is := store.read(); is.err != nil || is.object == nil {
			t.Errorf("got %+v, want a usable topology", is)
		}
		forbidden.Store(true)
		store.Relist()
		time.Sleep(time.Second)
		if is := store.read(); is.err != nil || is.object == nil || store.State().DeniedSince.IsZero() {
			t.Errorf("after a short denial: got %+v, want a usable topology", is)
		}
		time.Sleep(deniedGrace)
		if is := store.read(); !errors.Is(is.err, errForbidden) || is.object != nil {
			t.Errorf("after the grace period: got %+v, want %v", is, errForbidden)
		}
		forbidden.Store(false)
		time.Sleep(2 * time.Second)
		if is := store.read(); is.err != nil || is.object == nil {
			t.Errorf("once reads are allowed again: got %+v, want a usable topology", is)
		}
	})
}

// The API server denies reads before the object was read once.
func TestTopologyThatWasNeverReadIsUnusableAtOnce(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 1)
		store := f.startReplica(0).await().store
		if is := store.read(); !is.known || !errors.Is(is.err, errMissing) {
			t.Errorf("got %+v, want %v", is, errMissing)
		}
		f.client.PrependWatchReactor("configmaps", func(k8stesting.Action) (bool, watch.Interface, error) {
			return true, nil, apierrors.NewForbidden(configMaps.GroupResource(), "fleet-topology", nil)
		})
		store.Relist()
		time.Sleep(time.Millisecond)
		if is := store.read(); !is.known || !errors.Is(is.err, errForbidden) {
			t.Errorf("got %+v, want %v", is, errForbidden)
		}
	})
}

// A replica needs both rights: to patch its report, and to update the topology.
func TestProbeNeedsBothRights(t *testing.T) {
	denied := apierrors.NewForbidden(configMaps.GroupResource(), "fleet-topology", nil)
	outdated := apierrors.NewConflict(configMaps.GroupResource(), "fleet-topology", nil)
	for _, c := range []struct {
		patch, update error
		denied        bool
	}{{nil, nil, false}, {denied, nil, true}, {nil, denied, true}, {nil, outdated, false}} {
		faketime.Test(t, func(t *testing.T) {
			object := configMapWith(topology{Generation: 4, Active: 1, Set: "set", Revision: 1})
			f := newTestFleet(t, 1, object)
			for verb, err := range map[string]error{"patch": c.patch, "update": c.update} {
				f.client.PrependReactor(verb, "configmaps", func(k8stesting.Action) (bool, runtime.Object, error) { return err != nil, nil, err })
			}
			l := &loop{Coordinator: &Coordinator{Client: clientOf(f.client)}, changed: make(chan struct{}, 1)}
			if err := l.newTopologyStore(object.Name).probe(t.Context(), object); apierrors.IsForbidden(err) != c.denied || err != nil && !c.denied {
				t.Errorf("patch error %v, update error %v: probe returned %v, want a denial: %t", c.patch, c.update, err, c.denied)
			}
		})
	}
}
