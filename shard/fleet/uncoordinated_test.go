package fleet

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
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
			t.Errorf("uncoordinated after %s, want at least %s", waited, initialWait)
		}
		f.scale(3)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 3, Target: 3})
		if a.Status().Coordinated {
			t.Error("coordinated without a topology")
		}
		if n := strings.Count(a.log.String(), "level=WARN"); n != 1 || !strings.Contains(a.log.String(), "does not exist") {
			t.Errorf("%d warnings, want one with the reason:\n%s", n, a.log.String())
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
		until(t, "an uncoordinated status", func() bool { return !a.Status().Coordinated })
		time.Sleep(topologyGrace - time.Second)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 3, Target: 5}) // the grace period is not over
		if err := f.client.Tracker().Create(configMaps, emptyConfigMap(), namespace); err != nil {
			t.Fatal(err)
		}
		until(t, "coordination continues", func() bool { return a.Status().Coordinated && f.topology().Active == 3 })
	})
}

// After the ConfigMap was deleted, replicas that know its last topology follow it for a grace period.
// Others follow the StatefulSet.
func TestLastTopologyIsFollowedForAGracePeriod(t *testing.T) {
	growing := topology{Generation: 4, Active: 2, Target: 3, Set: "u", Revision: 7}
	pl := planner{incarnation: "x"}
	obs := observation{desired: desiredReplicas(3), known: true, usable: true, contents: parseContents(map[string]string{topologyKey: growing.String()}), now: noon}
	at := func(after time.Duration, want shard.Plan) {
		t.Helper()
		obs.now = noon.Add(after)
		if pl.update(obs); pl.plan != want {
			t.Errorf("after %s: plan %+v, want %+v", after, pl.plan, want)
		}
	}
	last, uncoordinated := shard.Plan{Active: 2, Target: 3}, shard.Plan{Active: 3, Target: 3}
	at(0, last)
	obs.usable, obs.contents = false, contents{}
	at(time.Second, last)
	at(topologyGrace, last)
	at(time.Second+topologyGrace, uncoordinated)
	if !pl.uncoordinated {
		t.Error("still coordinated although the ConfigMap stays missing")
	}
	pl = planner{incarnation: "y"}
	obs.absent = true
	at(2*time.Minute, shard.Plan{}) // others may follow a topology
	at(2*time.Minute+initialWait-1, shard.Plan{})
	at(2*time.Minute+initialWait, uncoordinated)
	pl = planner{incarnation: "z"}
	obs.absent = false // RBAC denies reading the ConfigMap
	at(3*time.Minute, uncoordinated)
	pl, obs.usable, obs.contents = planner{incarnation: "a"}, true, parseContents(nil)
	at(4*time.Minute, uncoordinated) // the ConfigMap is empty, as installed
	pl, obs.contents = planner{incarnation: "b"}, parseContents(map[string]string{topologyKey: "garbled"})
	at(5*time.Minute, shard.Plan{}) // others will restore the topology
	at(5*time.Minute+restoreGrace, uncoordinated)
	pl, obs.contents, obs.usable, obs.absent = planner{incarnation: "c"}, parseContents(nil), false, true
	at(6*time.Minute, shard.Plan{})
	obs.usable, obs.absent = true, false
	at(6*time.Minute+time.Second, shard.Plan{}) // the ConfigMap exists again, empty: others will restore it
	at(6*time.Minute+time.Second+restoreGrace, uncoordinated)
}

func TestSurplusReplicaKeepsItsPlanWhenUncoordinated(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 3)
		a := f.startReplica(2)
		a.waitPlan(t, shard.Plan{Ordinal: 2, Active: 3, Target: 3})
		f.scale(2)
		until(t, "the desired number 2", func() bool { return a.Status().Desired == 2 })
		time.Sleep(10 * time.Minute)
		a.waitPlan(t, shard.Plan{Ordinal: 2, Active: 3, Target: 3})
		if err := a.Drain(t.Context()); err != nil {
			t.Errorf("Drain of an uncoordinated replica returned %v, want nil", err)
		}
	})
}

func TestMissingPermissionsAreLoggedOnce(t *testing.T) {
	for _, verb := range []string{"list", "update"} {
		t.Run(verb, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				f := newTestFleet(t, 2, emptyConfigMap())
				var allowedVerbs sync.Map
				f.client.PrependReactor(verb, "configmaps", func(k8stesting.Action) (bool, runtime.Object, error) {
					_, allowed := allowedVerbs.Load(verb)
					return !allowed, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "fleet-topology", errors.New("no rule"))
				})
				a := f.startReplica(0)
				a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2})
				until(t, "a warning", func() bool { return strings.Contains(a.log.String(), "without waiting for the others") })
				f.scale(4)
				a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 4, Target: 4})
				allowedVerbs.Store(verb, true)
				until(t, "coordination begins", func() bool { return a.Status().Coordinated && f.topology().Active == 4 })
				if n := strings.Count(a.log.String(), "level=WARN"); n != 1 {
					t.Errorf("%d warnings, want 1:\n%s", n, a.log.String())
				}
			})
		})
	}
}

// The API server accepts writes of an immutable ConfigMap that change nothing, such as a probe.
func TestImmutableConfigMapIsLoggedOnce(t *testing.T) {
	written := configMapWith(topology{Generation: 4, Active: 2, Set: "set", Revision: 1})
	for name, installed := range map[string]*corev1.ConfigMap{"empty": emptyConfigMap(), "written": written} {
		t.Run(name, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				installed.Immutable = new(true)
				f := newTestFleet(t, 2, installed)
				f.client.PrependReactor("*", "configmaps", func(a k8stesting.Action) (bool, runtime.Object, error) {
					changes := false
					switch a := a.(type) {
					case k8stesting.PatchAction:
						changes = string(a.GetPatch()) != "{}"
					case k8stesting.UpdateAction:
						changes = !maps.Equal(a.GetObject().(*corev1.ConfigMap).Data, installed.Data)
					}
					now, err := f.client.Tracker().Get(configMaps, namespace, "fleet-topology")
					if err != nil || !changes || now.(*corev1.ConfigMap).Immutable == nil {
						return false, nil, nil //nolint:nilerr // the tracker itself answers then
					}
					return true, nil, apierrors.NewInvalid(schema.GroupKind{Kind: "ConfigMap"}, "fleet-topology", nil)
				})
				a := f.startReplica(0)
				a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2})
				time.Sleep(10 * time.Minute)
				if now := a.plan(); now != (shard.Plan{Ordinal: 0, Active: 2, Target: 2}) || a.Status().Coordinated {
					t.Errorf("got plan %+v, coordinated %t, want the table of 2 and false", now, a.Status().Coordinated)
				}
				if problem := a.Overview().Problem; !errors.Is(problem, errImmutable) {
					t.Errorf("Overview has problem %v, want %v", problem, errImmutable)
				}
				if log := a.log.String(); strings.Count(log, "level=WARN") != 1 || !strings.Contains(log, "immutable") || strings.Contains(log, "coordinated again") {
					t.Errorf("want one warning with the reason:\n%s", log)
				}
				f.scale(3)
				a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 3, Target: 3})
				if err := f.client.Tracker().Delete(configMaps, namespace, "fleet-topology"); err != nil {
					t.Fatal(err)
				}
				if err := f.client.Tracker().Create(configMaps, emptyConfigMap(), namespace); err != nil {
					t.Fatal(err)
				}
				until(t, "coordination begins", func() bool { return a.Status().Coordinated && f.topology().Active == 3 })
			})
		})
	}
}

// An API server that has just started denies a request, and is away again before the next attempt.
func TestDenialBeforeAnOutageChangesNothing(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 5, configMapWith(topology{Generation: 4, Active: 3, Target: 5, Set: "set", Revision: 1}))
		var failure atomic.Pointer[error]
		fails := func(err error) { failure.Store(&err) }
		f.client.PrependReactor("*", "*", func(k8stesting.Action) (bool, runtime.Object, error) {
			err := failure.Load()
			if err == nil {
				return false, nil, nil
			}
			return true, nil, *err
		})
		f.backoff = 10 * time.Second
		a := f.startReplica(0)
		preparing := shard.Plan{Ordinal: 0, Active: 3, Target: 5}
		a.waitPlan(t, preparing)
		fails(apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "fleet-topology", errors.New("not read yet")))
		a.loop.Load().store.Relist()
		time.Sleep(time.Second)
		fails(errAway)
		time.Sleep(deniedGrace + topologyGrace + time.Minute)
		if now := a.plan(); now != preparing || !a.Status().Coordinated {
			t.Errorf("got plan %+v, coordinated %t, want %+v and true", now, a.Status().Coordinated, preparing)
		}
	})
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
			t.Errorf("got plans %v, want %v", got, want)
		}
	})
}
