package fleet

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	k8stesting "k8s.io/client-go/testing"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/shard"
)

func TestDrainBeforeTheStatefulSetIsFoundEnds(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := new(Coordinator).Drain(t.Context()); err != nil || time.Since(began) > scaleDownWait {
			t.Errorf("Drain returned %v after %s, want nil within %s", err, time.Since(began), scaleDownWait)
		}
	})
}

func TestDrainWaitsForTheSwitch(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 2, configMapWith(topology{Generation: 4, Active: 2, Set: "set", Revision: 1}))
		a, b := f.startReplica(0), f.startReplica(1)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2})
		b.waitPlan(t, shard.Plan{Ordinal: 1, Active: 2, Target: 2})
		if err := b.Drain(t.Context()); err != nil {
			t.Errorf("Drain of a replica that stays in the fleet returned %v, want nil", err)
		}
		f.scale(1)
		b.waitPlan(t, shard.Plan{Ordinal: 1, Active: 2, Target: 1})
		drained := make(chan error, 1)
		go func() { drained <- b.Drain(t.Context()) }()
		until(t, "the report that the replica leaves", func() bool {
			now, err := f.client.Tracker().Get(configMaps, namespace, "fleet-topology")
			return err == nil && parseReports(now.(*corev1.ConfigMap).Data)[1].isLeaving(time.Now())
		})
		time.Sleep(10 * time.Minute)
		select {
		case err := <-drained:
			t.Fatal("Drain ended before the other replica held its part: ", err)
		default:
		}
		a.hold()
		if err := await(t, drained, "the end of the drain"); err != nil {
			t.Error(err)
		}
		if got := f.topology(); got.Active != 1 {
			t.Errorf("got topology %v after the drain, want 1 active replica", got)
		}
	})
}

// The termination signal may arrive before the change of the StatefulSet that caused it.
func TestDrainWaitsForTheScaleDownThatCausedIt(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 2, configMapWith(topology{Generation: 4, Active: 2, Set: "set", Revision: 1}))
		a, b := f.startReplica(0), f.startReplica(1)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2})
		b.waitPlan(t, shard.Plan{Ordinal: 1, Active: 2, Target: 2})
		drained := make(chan error, 1)
		go func() { drained <- b.Drain(t.Context()) }()
		f.scale(1)
		b.waitPlan(t, shard.Plan{Ordinal: 1, Active: 2, Target: 1})
		time.Sleep(10 * time.Minute)
		select {
		case err := <-drained:
			t.Fatal("Drain ended before another replica took over: ", err)
		default:
		}
		a.hold()
		if err := await(t, drained, "the end of the drain"); err != nil {
			t.Error(err)
		}
		if got := f.topology(); got.Active != 1 {
			t.Errorf("got topology %v after the drain, want 1 active replica", got)
		}
	})
}

func TestDrainWaitsForTheStandby(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 2, configMapWith(topology{Generation: 1, Active: 2, Set: "set", Revision: 1}),
			fleetPod("fleet-0", true, false), fleetPod("fleet-1", false, false))
		g := f.startStandby(0)
		rest := shard.Plan{Ordinal: 0, Active: 2, Target: 2, Standby: true}
		servesNeighbour, servedByStandby := rest, rest
		servesNeighbour.ServesNeighbour, servedByStandby.ServedByStandby = true, true
		g.waitPlan(t, servesNeighbour)
		drained := make(chan error, 1)
		go func() { drained <- g.Drain(t.Context()) }()
		if !g.Status().HasStandby() {
			t.Error("HasStandby() = false, want true")
		}
		f.becomes(g, fleetPod("fleet-0", false, false), rest) // fleet-1 is not ready yet
		time.Sleep(10 * time.Minute)
		select {
		case err := <-drained:
			t.Fatal("Drain ended although no replica can take over: ", err)
		default:
		}
		f.becomes(g, fleetPod("fleet-1", true, false), servedByStandby)
		if err := await(t, drained, "the end of the drain"); err != nil {
			t.Error(err)
		}
	})
}

func TestDrainDoesNotWaitForATerminatingStandby(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 2, configMapWith(topology{Generation: 1, Active: 2, Set: "set", Revision: 1}),
			fleetPod("fleet-0", true, true), fleetPod("fleet-1", true, true))
		g := f.startStandby(0)
		g.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2, Standby: true})
		if err := g.Drain(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A node that was cut off is reachable again, and its kubelet ends the container of a pod that was replaced meanwhile.
func TestDrainEndsSoonAfterThePodIsGone(t *testing.T) {
	for name, refused := range map[string]func(request int) bool{
		"refused once":             func(n int) bool { return n == 1 },
		"refused every other time": func(n int) bool { return n%2 == 1 },
		"refused from the second":  func(n int) bool { return n > 1 },
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				f := newTestFleet(t, 2, configMapWith(topology{Generation: 1, Active: 2, Set: "set", Revision: 1}),
					fleetPod("fleet-0", true, false), fleetPod("fleet-1", true, false))
				g := f.startStandby(0)
				g.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2, Standby: true})
				request := 0
				f.client.PrependReactor("get", "pods", func(k8stesting.Action) (bool, runtime.Object, error) {
					request++
					return refused(request), nil, apierrors.NewUnauthorized("the pod does not exist")
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				began := time.Now()
				err := g.Drain(ctx)
				took := time.Since(began).Round(time.Second)
				if gone := refused(2); gone && (err != nil || took != 3*podInterval) || !gone && (err == nil || took != time.Hour) {
					t.Errorf("Drain took %s and returned %v", took, err)
				}
			})
		})
	}
}
