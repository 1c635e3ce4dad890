package fleet

import (
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	k8stesting "k8s.io/client-go/testing"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/shard"
)

// The other replicas follow a revision that this replica's watch has not delivered. This replica must
// not undo their decision.
func TestStatefulSetIsListedAgainWhenItsWatchIsSilent(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 3, configMapWith(topology{Generation: 4, Active: 3, Set: "set", Revision: 1}))
		watches := 0
		f.client.PrependWatchReactor("statefulsets", func(k8stesting.Action) (bool, watch.Interface, error) {
			watches++
			return watches == 1, watch.NewRaceFreeFake(), nil
		})
		a := f.startReplica(0)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 3, Target: 3})
		f.scale(5)
		decided := topology{Generation: 6, Active: 5, Set: "set", Revision: 2}
		if _, _, err := f.write(func(now *corev1.ConfigMap) (*corev1.ConfigMap, error) {
			next := now.DeepCopy()
			next.Data[topologyKey] = decided.String()
			return next, nil
		}); err != nil {
			t.Fatal(err)
		}
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 5, Target: 5})
		time.Sleep(2 * time.Minute)
		if now := f.topology(); now != decided {
			t.Errorf("got topology %v, want %v", now, decided)
		}
		if s := a.Status(); s.Desired != 5 {
			t.Errorf("Status().Desired = %d, want 5", s.Desired)
		}
	})
}

// A read without the watch has found that the ConfigMap was deleted. There are no further reads until it exists again.
func TestConfigMapIsFoundAgainWhenItsWatchIsSilent(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 1, configMapWith(topology{Generation: 4, Active: 1, Set: "set", Revision: 1}))
		watches := 0
		f.client.PrependWatchReactor("configmaps", func(k8stesting.Action) (bool, watch.Interface, error) {
			watches++
			return watches == 1, watch.NewRaceFreeFake(), nil
		})
		a := f.startReplica(0)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 1, Target: 1})
		if err := f.client.Tracker().Delete(configMaps, namespace, "fleet-topology"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * refreshIdle)
		if a.Status().Coordinated {
			t.Error("coordinated without the ConfigMap")
		}
		if err := f.client.Tracker().Create(configMaps, emptyConfigMap(), namespace); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * refreshIdle)
		if !a.Status().Coordinated {
			t.Error("not coordinated although the ConfigMap exists again")
		}
	})
}

// Otherwise the state of the pods would stay stale.
func TestPodsAreListedAgainWhenTheirWatchIsSilent(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 2, configMapWith(topology{Generation: 1, Active: 2, Set: "set", Revision: 1}),
			fleetPod("fleet-0", true, false), fleetPod("fleet-1", true, false))
		f.client.PrependWatchReactor("pods", func(k8stesting.Action) (bool, watch.Interface, error) {
			return true, watch.NewRaceFreeFake(), nil
		})
		var refused atomic.Bool
		f.client.PrependReactor("list", "pods", func(k8stesting.Action) (bool, runtime.Object, error) {
			return refused.Load(), nil, apierrors.NewForbidden(podResource.GroupResource(), "", nil)
		})
		g := f.startStandby(1)
		rest := shard.Plan{Ordinal: 1, Active: 2, Target: 2, Standby: true}
		servesNeighbour := rest
		servesNeighbour.ServesNeighbour = true
		g.waitPlan(t, rest)
		if err := f.client.Tracker().Update(podResource, fleetPod("fleet-0", false, false), namespace); err != nil {
			t.Fatal(err)
		}
		time.Sleep(relistInterval + time.Minute)
		if now := g.plan(); now != servesNeighbour {
			t.Errorf("got plan %+v, want %+v", now, servesNeighbour)
		}
		refused.Store(true)
		time.Sleep(relistInterval + deniedGrace + time.Minute)
		if now, withoutStandby := g.plan(), (shard.Plan{Ordinal: 1, Active: 2, Target: 2}); now != withoutStandby {
			t.Errorf("got plan %+v once reads of the pods are denied, want %+v", now, withoutStandby)
		}
	})
}
