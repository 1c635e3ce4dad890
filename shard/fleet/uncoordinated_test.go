package fleet

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	k8stesting "k8s.io/client-go/testing"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/shard"
)

func TestReplicaIsUncoordinatedWithoutTheConfigMap(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 2)
		began := time.Now()
		a := f.startReplica(0)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2})
		if waited := time.Since(began); waited < initialWait {
			t.Errorf("uncoordinated after %s", waited)
		}
		f.scale(3)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 3, Target: 3})
		if a.Status().Coordinated {
			t.Error("coordinated without a topology")
		}
		if n := strings.Count(a.log.String(), "level=WARN"); n != 1 || !strings.Contains(a.log.String(), "does not exist") {
			t.Errorf("%d warnings, want one that says why:\n%s", n, a.log.String())
		}
		if err := f.client.Tracker().Create(configMaps, emptyConfigMap(), namespace); err != nil {
			t.Fatal(err)
		}
		until(t, "coordination begins", func() bool { return a.Status().Coordinated && f.topology().Active == 3 })
		f.scale(5)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 3, Target: 5})
		if err := f.client.Tracker().Delete(configMaps, namespace, "fleet-topology"); err != nil {
			t.Fatal(err)
		}
		until(t, "the news", func() bool { return !a.Status().Coordinated })
		time.Sleep(topologyGrace - time.Second)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 3, Target: 5}) // the ConfigMap may be back soon
		if err := f.client.Tracker().Create(configMaps, emptyConfigMap(), namespace); err != nil {
			t.Fatal(err)
		}
		until(t, "coordination goes on", func() bool { return a.Status().Coordinated && f.topology().Active == 3 })
	})
}

// After the ConfigMap was deleted, replicas that know its last topology follow it for a while.
// Others follow the StatefulSet.
func TestLastTopologyIsFollowedForAGracePeriod(t *testing.T) {
	growing := topology{Generation: 4, Active: 2, Target: 3, Set: "u", Revision: 7}
	pl := planner{incarnation: "x"}
	snap := snapshot{desired: desiredReplicas(3), known: true, usable: true, contents: parseContents(map[string]string{topologyKey: growing.String()}), now: noon}
	at := func(after time.Duration, want shard.Plan) {
		t.Helper()
		snap.now = noon.Add(after)
		if pl.update(snap); pl.plan != want {
			t.Errorf("after %s: plan %+v, want %+v", after, pl.plan, want)
		}
	}
	held, alone := shard.Plan{Active: 2, Target: 3}, shard.Plan{Active: 3, Target: 3}
	at(0, held)
	snap.usable, snap.contents = false, contents{}
	at(time.Second, held)
	at(topologyGrace, held)
	at(time.Second+topologyGrace, alone)
	if !pl.uncoordinated {
		t.Error("not alone when the object stays away")
	}
	pl = planner{incarnation: "y"}
	snap.absent = true
	at(2*time.Minute, shard.Plan{}) // others may follow a topology
	at(2*time.Minute+initialWait-1, shard.Plan{})
	at(2*time.Minute+initialWait, alone)
	pl = planner{incarnation: "z"}
	snap.absent = false // RBAC denies reading it
	at(3*time.Minute, alone)
	pl, snap.usable, snap.contents = planner{incarnation: "a"}, true, parseContents(nil)
	at(4*time.Minute, alone) // it is empty, as installed
	pl, snap.contents = planner{incarnation: "b"}, parseContents(map[string]string{topologyKey: "garbled"})
	at(5*time.Minute, shard.Plan{}) // others will restore it
	at(5*time.Minute+restoreGrace, alone)
	pl, snap.contents, snap.usable, snap.absent = planner{incarnation: "c"}, parseContents(nil), false, true
	at(6*time.Minute, shard.Plan{})
	snap.usable, snap.absent = true, false
	at(6*time.Minute+time.Second, shard.Plan{}) // it is back, empty: others will restore it
	at(6*time.Minute+time.Second+restoreGrace, alone)
}

func TestSurplusReplicaKeepsItsPlanWhenUncoordinated(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 3)
		a := f.startReplica(2)
		a.waitPlan(t, shard.Plan{Ordinal: 2, Active: 3, Target: 3})
		f.scale(2)
		until(t, "the news", func() bool { return a.Status().Desired == 2 })
		time.Sleep(10 * time.Minute)
		a.waitPlan(t, shard.Plan{Ordinal: 2, Active: 3, Target: 3})
		if err := a.Drain(t.Context()); err != nil {
			t.Errorf("a replica that is alone waits: %v", err)
		}
	})
}

func TestMissingPermissionsAreLoggedOnce(t *testing.T) {
	for _, verb := range []string{"list", "update"} {
		t.Run(verb, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				f := newTestFleet(t, 2, emptyConfigMap())
				var mended sync.Map
				f.client.PrependReactor(verb, "configmaps", func(k8stesting.Action) (bool, runtime.Object, error) {
					_, allowed := mended.Load(verb)
					return !allowed, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "fleet-topology", errors.New("no rule"))
				})
				a := f.startReplica(0)
				a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2})
				until(t, "a warning", func() bool { return strings.Contains(a.log.String(), "without waiting for the others") })
				f.scale(4)
				a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 4, Target: 4})
				mended.Store(verb, true)
				until(t, "coordination begins", func() bool { return a.Status().Coordinated && f.topology().Active == 4 })
				if n := strings.Count(a.log.String(), "level=WARN"); n != 1 {
					t.Errorf("%d warnings:\n%s", n, a.log.String())
				}
			})
		})
	}
}

// An API server that has just started denies requests until it has loaded its roles.
func TestTransientDenialChangesNothing(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 2, configMapWith(topology{Generation: 4, Active: 2, Set: "set", Revision: 1}))
		failing := f.failing(apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "fleet-topology", errors.New("not read yet")))
		a := f.startReplica(0)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2})
		failing.Store(4)
		a.hold()
		f.scale(1)
		until(t, "a denial", func() bool { return failing.Load() < 4 })
		if !a.Status().Coordinated {
			t.Error("not coordinated after one denial")
		}
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 1, Target: 1})
		a.stop()
		if got, want := a.plans, []shard.Plan{{Active: 2, Target: 2}, {Active: 2, Target: 1}, {Active: 2, Target: 1, SwitchScheduled: true}, {Active: 1, Target: 1}}; !slices.Equal(got, want) {
			t.Errorf("plans %v, want %v", got, want)
		}
	})
}
