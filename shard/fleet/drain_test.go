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
			t.Errorf("%v after %s", err, time.Since(began))
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
			t.Errorf("a replica that is to come back waits: %v", err)
		}
		f.scale(1)
		b.waitPlan(t, shard.Plan{Ordinal: 1, Active: 2, Target: 1})
		drained := make(chan error, 1)
		go func() { drained <- b.Drain(t.Context()) }()
		until(t, "the others know that it leaves", func() bool {
			now, err := f.client.Tracker().Get(configMaps, namespace, "fleet-topology")
			return err == nil && parseReports(now.(*corev1.ConfigMap).Data)[1].isLeaving(time.Now())
		})
		time.Sleep(10 * time.Minute)
		select {
		case err := <-drained:
			t.Fatal("it did not wait: ", err)
		default:
		}
		a.hold()
		if err := await(t, drained, "the end of the drain"); err != nil {
			t.Error(err)
		}
		if got := f.topology(); got.Active != 1 {
			t.Errorf("it ended with %v", got)
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
			t.Fatal("it ended before another has taken over: ", err)
		default:
		}
		a.hold()
		if err := await(t, drained, "the end of the drain"); err != nil {
			t.Error(err)
		}
		if got := f.topology(); got.Active != 1 {
			t.Errorf("it ended with %v", got)
		}
	})
}

func TestDrainWaitsForTheStandby(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 2, configMapWith(topology{Generation: 1, Active: 2, Set: "set", Revision: 1}),
			fleetPod("fleet-0", true, false), fleetPod("fleet-1", false, false))
		g := f.startStandby(0)
		rest := shard.Plan{Ordinal: 0, Active: 2, Target: 2, Standby: true}
		covers, covered := rest, rest
		covers.ServesNeighbour, covered.ServedByStandby = true, true
		g.waitPlan(t, covers)
		drained := make(chan error, 1)
		go func() { drained <- g.Drain(t.Context()) }()
		if !g.Status().HasStandby() {
			t.Error("no standby is known")
		}
		f.becomes(g, fleetPod("fleet-0", false, false), rest) // and fleet-1 is not ready yet
		time.Sleep(10 * time.Minute)
		select {
		case err := <-drained:
			t.Fatal("drained although no replica can take over: ", err)
		default:
		}
		f.becomes(g, fleetPod("fleet-1", true, false), covered)
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

// A node that was cut off comes back, and its kubelet ends the container of a pod that was replaced meanwhile.
func TestDrainEndsSoonAfterThePodIsGone(t *testing.T) {
	for name, refused := range map[string]func(request int) bool{
		"refused once":            func(n int) bool { return n == 1 },
		"refused now and then":    func(n int) bool { return n%2 == 1 },
		"refused from the second": func(n int) bool { return n > 1 },
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
					t.Errorf("it served for %s: %v", took, err)
				}
			})
		})
	}
}
