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

func TestFleetSwitchesWhenEveryReplicaHoldsItsPart(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 2, emptyConfigMap())
		a, b := f.startReplica(0), f.startReplica(1)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2})
		b.waitPlan(t, shard.Plan{Ordinal: 1, Active: 2, Target: 2})
		until(t, "a topology", func() bool { return f.topology().Active == 2 })
		f.scale(3)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 3})
		c := f.startReplica(2)
		c.waitPlan(t, shard.Plan{Ordinal: 2, Active: 2, Target: 3})
		if s := a.Status(); !s.Coordinated || s.Active != 2 || s.Target != 3 || s.StartedAt.IsZero() {
			t.Errorf("got status %+v, want a coordinated transition from 2 to 3", s)
		}
		a.hold()
		c.hold()
		until(t, "two reports", func() bool {
			now, err := f.client.Tracker().Get(configMaps, namespace, "fleet-topology")
			if err != nil {
				return false
			}
			all := parseReports(now.(*corev1.ConfigMap).Data)
			return all[0].Holds && all[2].Holds && !all[1].Holds
		})
		time.Sleep(10 * time.Minute)
		if s := f.topology(); !s.SwitchAt.IsZero() {
			t.Errorf("got topology %v before the last replica holds its part, want no scheduled switch", s)
		}
		b.hold()
		for i, g := range []*testReplica{a, b, c} {
			g.waitPlan(t, shard.Plan{Ordinal: i, Active: 3, Target: 3})
		}
		until(t, "the switch is recorded", func() bool { return f.topology().Active == 3 && f.topology().Target == 0 })
		until(t, "the transition is counted", func() bool { return a.Status().Transitions == Transitions{Completed: 1} })
	})
}

func TestRestartedReplicaWithdrawsItsReport(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		growing := topology{Generation: 4, Active: 1, Target: 2, Set: "set", Revision: 1}
		object := configMapWith(growing)
		object.Data[reportKey(0)] = replicaReport{Generation: 4, Target: 2, Holds: true, Incarnation: "before"}.String()
		f := newTestFleet(t, 2, object)
		a := f.startReplica(0)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 1, Target: 2})
		until(t, "the report is withdrawn", func() bool {
			now, err := f.client.Tracker().Get(configMaps, namespace, "fleet-topology")
			return err == nil && !parseReports(now.(*corev1.ConfigMap).Data)[0].Holds
		})
	})
}

// failing makes writes fail with err. The counter that it returns is how many of the next ones fail.
func (f *testFleet) failing(err error) *atomic.Int64 {
	left := new(atomic.Int64)
	for _, verb := range []string{"update", "patch"} {
		f.client.PrependReactor(verb, "configmaps", func(k8stesting.Action) (bool, runtime.Object, error) {
			return left.Add(-1) >= 0, nil, err
		})
	}
	return left
}

func TestFailedWritesAreRetried(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 2, configMapWith(topology{Generation: 4, Active: 2, Set: "set", Revision: 1}))
		failing := f.failing(errAway)
		a := f.startReplica(0)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2})
		failing.Store(6)
		f.scale(1)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 1})
		a.hold()
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 1, Target: 1})
	})
}

func TestScheduledSwitchNeedsNoAPIServer(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		scheduled := topology{Generation: 4, Active: 2, Target: 3, SwitchAt: time.Now().Add(time.Second), Set: "set", Revision: 1}
		f := newTestFleet(t, 3, configMapWith(scheduled))
		f.client.PrependReactor("update", "configmaps", func(k8stesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewServiceUnavailable("away")
		})
		a := f.startReplica(0)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 3})
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 3, Target: 3})
		atTheInstant(t, scheduled.SwitchAt)
		time.Sleep(10 * time.Minute)
		if got := f.topology(); got.Active != 2 {
			t.Errorf("got topology %v, want an unchanged one, because writes fail", got)
		}
	})
}

// atTheInstant fails the test unless it is called at the instant.
func atTheInstant(t *testing.T, instant time.Time) {
	t.Helper()
	if late := time.Since(instant); late < 0 || late > 10*time.Millisecond {
		t.Errorf("switched %s after the scheduled time, want at most 10ms", late)
	}
}

// A replica whose watch delivers nothing still reads the time of the switch early enough.
func TestBrokenWatchDoesNotDelayTheSwitch(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 3, configMapWith(topology{Generation: 4, Active: 2, Target: 3, Set: "set", Revision: 1}))
		f.client.PrependWatchReactor("configmaps", func(k8stesting.Action) (bool, watch.Interface, error) {
			return true, watch.NewRaceFreeFake(), nil
		})
		a := f.startReplica(0)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 3})
		instant := time.Now().Add(switchLead)
		if _, _, err := f.write(func(now *corev1.ConfigMap) (*corev1.ConfigMap, error) {
			next := now.DeepCopy()
			next.Data[topologyKey] = topology{Generation: 4, Active: 2, Target: 3, SwitchAt: instant, Set: "set", Revision: 1}.String()
			return next, nil
		}); err != nil {
			t.Fatal(err)
		}
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 3, Target: 3})
		atTheInstant(t, instant)
	})
}

// The replica's proposal conflicts with one of another replica, whose version its watch does not
// deliver.
func TestReplicaRereadsTopologyWhenWatchIsSilent(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 2, configMapWith(topology{Generation: 4, Active: 2, Set: "set", Revision: 1}))
		f.client.PrependWatchReactor("configmaps", func(k8stesting.Action) (bool, watch.Interface, error) {
			return true, watch.NewRaceFreeFake(), nil
		})
		a := f.startReplica(0)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2})
		if _, _, err := f.write(func(now *corev1.ConfigMap) (*corev1.ConfigMap, error) {
			next := now.DeepCopy()
			next.Data[topologyKey] = topology{Generation: 5, Active: 2, Target: 3, Set: "set", Revision: 2}.String()
			return next, nil
		}); err != nil {
			t.Fatal(err)
		}
		f.scale(3)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 3})
	})
}
