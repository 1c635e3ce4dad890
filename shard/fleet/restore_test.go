package fleet

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	k8stesting "k8s.io/client-go/testing"

	"github.com/statefleet/statefleet/internal/faketime"
	"github.com/statefleet/statefleet/shard"
)

// newRestorableFleet is a fleet whose objects will go back to those of a backup.
func newRestorableFleet(t *testing.T, replicas int32, now topology) *testFleet {
	object := configMapWith(now)
	object.ResourceVersion, object.UID = "100000", "the-one"
	p := newTestFleet(t, replicas, object)
	p.version = 100000
	for _, resource := range []string{"configmaps", "statefulsets"} {
		p.client.PrependWatchReactor(resource, func(k8stesting.Action) (bool, watch.Interface, error) {
			return !p.restored.Load(), watch.NewRaceFreeFake(), nil
		})
	}
	return p
}

// restore takes etcd back to a backup. The watches from before are from versions that are yet to come: they bring nothing,
// and do not end.
func (p *testFleet) restore(backup topology, replicas int32, generation int64) {
	p.t.Helper()
	old := configMapWith(backup)
	old.ResourceVersion, old.UID = "500", "the-one"
	p.mu.Lock()
	defer p.mu.Unlock()
	p.restored.Store(true)
	p.version, p.set = 500, generation-1
	for _, object := range []runtime.Object{old, p.replicas(replicas)} {
		gvr := statefulSets
		if _, ok := object.(*corev1.ConfigMap); ok {
			gvr = configMaps
		}
		if err := p.client.Tracker().Update(gvr, object, namespace); err != nil {
			p.t.Fatal(err)
		}
	}
}

// startAll starts the replicas of a fleet, which hold whatever they are asked to.
func (p *testFleet) startAll(n int) (all []*testReplica) {
	for i := range n {
		g := p.startReplica(i)
		g.hold()
		all = append(all, g)
	}
	return all
}

// TestFleetIsScaledAfterEtcdWasRestored: the versions of the topology ConfigMap have gone back, and what it says has not.
func TestFleetIsScaledAfterEtcdWasRestored(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		steady := topology{Generation: 4, Active: 2, Set: "set", Revision: 1}
		p := newRestorableFleet(t, 2, steady)
		all := p.startAll(2)
		all[1].waitPlan(t, shard.Plan{Ordinal: 1, Active: 2, Target: 2})
		time.Sleep(time.Minute)
		p.restore(steady, 2, 1)
		time.Sleep(2 * refreshIdle)
		p.scale(3)
		p.startReplica(2).hold()
		time.Sleep(time.Minute)
		if now := p.topology(); now.Active != 3 || all[0].plan().Active != 3 || all[1].plan().Active != 3 {
			t.Errorf("a minute after the fleet was scaled the topology is %v, and the replicas follow %+v and %+v", now, all[0].plan(), all[1].plan())
		}
		if !strings.Contains(all[0].log.String(), "went back") {
			t.Error("nothing in the log")
		}
	})
}

// TestRestoredBackupOfASmallerFleetIsNotFollowed: the backup is from before the fleet grew from 3 to 5. What the fleet serves
// by is written again, and then it shrinks to 3 as it does always.
func TestRestoredBackupOfASmallerFleetIsNotFollowed(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		p := newRestorableFleet(t, 5, topology{Generation: 4, Active: 5, Set: "set", Revision: 9})
		p.scale(5)
		all := p.startAll(5)
		all[4].waitPlan(t, shard.Plan{Ordinal: 4, Active: 5, Target: 5})
		time.Sleep(time.Minute)
		p.restore(topology{Generation: 3, Active: 3, Set: "set", Revision: 1}, 3, 1)
		time.Sleep(2 * refreshIdle)
		if now := p.topology(); now.Active != 3 || now.Target != 0 || now.Generation < 5 {
			t.Errorf("the topology is %v", now)
		}
		for i, g := range all {
			if g.stop(); i < 3 && g.plan().Active != 3 {
				t.Errorf("replica %d follows %+v", i, g.plan())
			}
			for _, plan := range g.plans {
				if plan.Active == 3 && g.plans[len(g.plans)-1] != plan {
					t.Errorf("replica %d served by 3 before the fleet had switched: %+v", i, g.plans)
				}
			}
		}
	})
}

// TestRepeatedGenerationHasNotSwitched: after a backup was restored a generation comes again, with another target.
func TestRepeatedGenerationHasNotSwitched(t *testing.T) {
	pl := planner{}
	reports := map[int]replicaReport{0: {}, 1: {}, 2: {}, 3: {}, 4: {}}
	look := func(top topology, total int) shard.Plan {
		pl.update(snapshot{desired: desiredReplicas(total), known: true, usable: true, contents: contents{topology: top, reports: reports}, now: noon})
		return pl.plan
	}
	first := topology{Generation: 7, Active: 3, Target: 5, StartedAt: noon.Add(-time.Hour), Set: "u", Revision: 7}
	made := first
	made.SwitchAt = noon.Add(-1)
	for i, c := range []struct {
		topology     topology
		total        int
		active, then int
	}{
		{made, 5, 5, 5},
		{first, 5, 5, 5}, // the same decision: a switch is not taken back
		{topology{Generation: 6, Active: 3, Set: "u", Revision: 6}, 4, 3, 3},
		{topology{Generation: 7, Active: 3, Target: 4, StartedAt: noon, Set: "u", Revision: 7}, 4, 3, 4},
		{topology{Generation: 7, Active: 3, Target: 5, StartedAt: noon, Set: "u", Revision: 7}, 5, 3, 5},
	} {
		if p := look(c.topology, c.total); p.Active != c.active || p.Target != c.then {
			t.Errorf("%d: serves by %d and holds for %d, want %d and %d", i, p.Active, p.Target, c.active, c.then)
		}
	}
}
