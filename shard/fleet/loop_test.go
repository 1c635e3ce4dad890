package fleet

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	k8stesting "k8s.io/client-go/testing"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/internal/watch/objects"
	"github.com/statefleet/statefleet/shard"
)

// hanging is an API that does not answer the first read and the first patch.
type hanging[T objects.Object] struct {
	objects.API[T]
	gets, patches atomic.Int32
}

func (h *hanging[T]) Get(ctx context.Context, name string) (T, error) {
	if h.gets.Add(1) == 1 {
		<-ctx.Done()
	}
	if err := ctx.Err(); err != nil {
		return *new(T), err
	}
	return h.API.Get(ctx, name)
}

func (h *hanging[T]) MergePatch(ctx context.Context, name string, patch []byte) (T, error) {
	if h.patches.Add(1) == 1 {
		<-ctx.Done()
	}
	if err := ctx.Err(); err != nil {
		return *new(T), err
	}
	return h.API.MergePatch(ctx, name, patch)
}

func TestUnansweredReadOfThePodIsRetried(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 1, pod("fleet-0", owner("apps/v1", "StatefulSet", "fleet")))
		client := clientOf(f.client)
		client.Pods = &hanging[*corev1.Pod]{API: client.Pods}
		c := Coordinator{Client: client, Namespace: namespace, Pod: "fleet-0"}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		name, self, err := c.findStatefulSet(ctx, "fleet")
		if took := time.Since(began); name != "fleet" || self == nil || err != nil || took < podTimeout || took > podTimeout+time.Minute {
			t.Errorf("got %q, pod %v, error %v after %s, want the pod after %s", name, self, err, took, podTimeout)
		}
	})
}

// The API server does not answer the report that the replica holds its part, so the fleet cannot switch.
func TestUnansweredWriteIsRetried(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 2, configMapWith(topology{Generation: 4, Active: 1, Set: "set", Revision: 1}))
		client := clientOf(f.client)
		client.ConfigMaps = &hanging[*corev1.ConfigMap]{API: client.ConfigMaps}
		f.api = client
		began := time.Now()
		for _, g := range f.startAll(2) {
			g.hold()
			g.waitPlan(t, shard.Plan{Ordinal: g.plan().Ordinal, Active: 2, Target: 2})
		}
		if took := time.Since(began); took < writeTimeout || took > writeTimeout+waitTimeout {
			t.Errorf("the fleet switched after %s, want soon after %s", took, writeTimeout)
		}
	})
}

// Another replica changes the topology, and the watch does not deliver its version. The replica's own
// proposal is refused as outdated.
func TestTopologyIsReadSoonAfterAConflict(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 1, configMapWith(topology{Generation: 4, Active: 1, Set: "set", Revision: 1}))
		f.client.PrependWatchReactor("configmaps", func(k8stesting.Action) (bool, watch.Interface, error) {
			return true, watch.NewRaceFreeFake(), nil
		})
		g := f.startReplica(0)
		g.waitPlan(t, shard.Plan{Active: 1, Target: 1})
		time.Sleep(refreshIdle / 10)
		other := topology{Generation: 5, Active: 1, Target: 2, Set: "set", Revision: 2}
		if _, _, err := f.write(func(now *corev1.ConfigMap) (*corev1.ConfigMap, error) {
			next := now.DeepCopy()
			next.Data[topologyKey] = other.String()
			return next, nil
		}); err != nil {
			t.Fatal(err)
		}
		f.scale(2)
		time.Sleep(2 * refreshMin)
		if now, want := g.plan(), (shard.Plan{Active: 1, Target: 2}); now != want {
			t.Errorf("got plan %+v, want %+v", now, want)
		}
	})
}

func TestLoopWaitsBeforeItsNextStep(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		now := time.Now()
		for until, want := range map[time.Time]time.Duration{
			{}: refreshIdle, now.Add(time.Second): time.Second, now: minWait, now.Add(-time.Hour): minWait,
		} {
			if got := waitTime(until); got != want || got <= 0 {
				t.Errorf("waitTime(%s) = %s, want %s", until, got, want)
			}
		}
	})
}

func TestOnlyAReplicaWithoutAPlanWaitsForTheConfigMap(t *testing.T) {
	const waiting = "waiting for the topology ConfigMap"
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 1, configMapWith(topology{Generation: 4, Active: 1, Set: "set", Revision: 1}))
		old := f.startReplica(0)
		old.waitPlan(t, shard.Plan{Active: 1, Target: 1})
		if err := f.client.Tracker().Delete(configMaps, namespace, "fleet-topology"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		var lists atomic.Int32
		f.client.PrependReactor("list", "statefulsets", func(k8stesting.Action) (bool, runtime.Object, error) {
			return lists.Add(1) == 1, nil, errAway // so that the replica learns of the ConfigMap before the StatefulSet
		})
		started := f.startReplica(0)
		time.Sleep(3 * time.Second)
		if lists.Load() < 2 {
			t.Error("the replica did not retry the list of the StatefulSet")
		}
		if log := old.log.String(); strings.Contains(log, waiting) {
			t.Errorf("a replica with a plan logged that it waits:\n%s", log)
		}
		if n := strings.Count(started.log.String(), waiting); n != 1 {
			t.Errorf("a started replica logged %d times that it waits, want once:\n%s", n, started.log.String())
		}
	})
}
