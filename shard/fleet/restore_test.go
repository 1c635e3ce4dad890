package fleet

import (
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	k8stesting "k8s.io/client-go/testing"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/shard"
)

// newRestorableFleet returns a fleet whose objects restore can replace by those of a backup.
func newRestorableFleet(t *testing.T, replicas int32, now topology) *testFleet {
	object := configMapWith(now)
	object.ResourceVersion, object.UID = "100000", "the-one"
	f := newTestFleet(t, replicas, object)
	f.version = 100000
	for _, resource := range []string{"configmaps", "statefulsets"} {
		f.client.PrependWatchReactor(resource, func(k8stesting.Action) (bool, watch.Interface, error) {
			return !f.restored.Load(), watch.NewRaceFreeFake(), nil
		})
	}
	return f
}

// restore restores a backup of etcd. The resourceVersions of earlier watches are now in the future:
// these watches deliver nothing, and do not end.
func (f *testFleet) restore(backup topology, replicas int32, generation int64) {
	f.t.Helper()
	old := configMapWith(backup)
	old.ResourceVersion, old.UID = "500", "the-one"
	f.restoreConfigMap(old, replicas, generation)
}

// restoreConfigMap is restore with the whole ConfigMap.
func (f *testFleet) restoreConfigMap(old *corev1.ConfigMap, replicas int32, generation int64) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.restored.Store(true)
	version, err := strconv.Atoi(old.ResourceVersion)
	if err != nil {
		f.t.Fatal(err)
	}
	f.version, f.set = version, generation-1
	for _, object := range []runtime.Object{old, f.replicas(replicas)} {
		gvr := statefulSets
		if _, ok := object.(*corev1.ConfigMap); ok {
			gvr = configMaps
		}
		if err := f.client.Tracker().Update(gvr, object, namespace); err != nil {
			f.t.Fatal(err)
		}
	}
}

// startAll starts n replicas, which hold everything that their plans ask for.
func (f *testFleet) startAll(n int) (all []*testReplica) {
	for i := range n {
		g := f.startReplica(i)
		g.hold()
		all = append(all, g)
	}
	return all
}

// The resourceVersion of the topology ConfigMap went back, but its topology is the same.
func TestFleetIsScaledAfterEtcdWasRestored(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		steady := topology{Generation: 4, Active: 2, Set: "set", Revision: 1}
		f := newRestorableFleet(t, 2, steady)
		all := f.startAll(2)
		all[1].waitPlan(t, shard.Plan{Ordinal: 1, Active: 2, Target: 2})
		time.Sleep(time.Minute)
		f.restore(steady, 2, 1)
		time.Sleep(2 * refreshIdle)
		f.scale(3)
		f.startReplica(2).hold()
		time.Sleep(time.Minute)
		if now := f.topology(); now.Active != 3 || all[0].plan().Active != 3 || all[1].plan().Active != 3 {
			t.Errorf("a minute after the fleet was scaled: topology %v, plans %+v and %+v, want 3 active", now, all[0].plan(), all[1].plan())
		}
		if !strings.Contains(all[0].log.String(), "went back") {
			t.Error("the log does not mention that the resourceVersion went back")
		}
	})
}

// The backup is from before the fleet grew from 3 to 5. The replicas write the active table of 5
// again, and then the fleet shrinks to 3 as usual.
func TestRestoredBackupOfASmallerFleetIsNotFollowed(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newRestorableFleet(t, 5, topology{Generation: 4, Active: 5, Set: "set", Revision: 9})
		f.scale(5)
		all := f.startAll(5)
		all[4].waitPlan(t, shard.Plan{Ordinal: 4, Active: 5, Target: 5})
		time.Sleep(time.Minute)
		f.restore(topology{Generation: 3, Active: 3, Set: "set", Revision: 1}, 3, 1)
		time.Sleep(2 * refreshIdle)
		if now := f.topology(); now.Active != 3 || now.Target != 0 || now.Generation < 5 {
			t.Errorf("got topology %v, want 3 active with a generation above 4", now)
		}
		for i, g := range all {
			if g.stop(); i < 3 && g.plan().Active != 3 {
				t.Errorf("replica %d: got plan %+v, want 3 active", i, g.plan())
			}
			for _, plan := range g.plans {
				if plan.Active == 3 && g.plans[len(g.plans)-1] != plan {
					t.Errorf("replica %d served by 3 before the fleet had switched: %+v", i, g.plans)
				}
			}
		}
	})
}

// The backup has the version from which this replica cancelled a change. It must cancel that change again.
func TestTopologyIsProposedAgainFromARestoredVersion(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newRestorableFleet(t, 1, topology{Generation: 4, Active: 1, Target: 2, Set: "set", Revision: 1})
		_, backup, err := f.write(func(now *corev1.ConfigMap) (*corev1.ConfigMap, error) {
			next := now.DeepCopy()
			next.Data[reportKey(0)] = replicaReport{versions: versions{formatVersion, tableVersion}}.String()
			return next, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		f.startReplica(0)
		until(t, "the change to be cancelled", func() bool { return f.topology().Target == 0 })
		time.Sleep(time.Minute)
		f.restoreConfigMap(backup.(*corev1.ConfigMap), 1, 1)
		time.Sleep(2 * refreshIdle)
		if now := f.topology(); now.Target != 0 {
			t.Errorf("a minute after the restore: got topology %v, want no target", now)
		}
	})
}

// After a restore, a generation is used again with another target.
func TestRepeatedGenerationHasNotSwitched(t *testing.T) {
	pl := planner{}
	reports := map[int]replicaReport{0: {}, 1: {}, 2: {}, 3: {}, 4: {}}
	planFor := func(top topology, total int) shard.Plan {
		pl.update(observation{desired: desiredReplicas(total), known: true, usable: true, contents: contents{topology: top, reports: reports}, now: noon})
		return pl.plan
	}
	first := topology{Generation: 7, Active: 3, Target: 5, StartedAt: noon.Add(-time.Hour), Set: "u", Revision: 7}
	switched := first
	switched.SwitchAt = noon.Add(-1)
	for i, c := range []struct {
		topology       topology
		total          int
		active, target int
	}{
		{switched, 5, 5, 5},
		{first, 5, 5, 5}, // the same decision: a switch is not undone
		{topology{Generation: 6, Active: 3, Set: "u", Revision: 6}, 4, 3, 3},
		{topology{Generation: 7, Active: 3, Target: 4, StartedAt: noon, Set: "u", Revision: 7}, 4, 3, 4},
		{topology{Generation: 7, Active: 3, Target: 5, StartedAt: noon, Set: "u", Revision: 7}, 5, 3, 5},
	} {
		if p := planFor(c.topology, c.total); p.Active != c.active || p.Target != c.target {
			t.Errorf("case %d: got active %d and target %d, want %d and %d", i, p.Active, p.Target, c.active, c.target)
		}
	}
}
