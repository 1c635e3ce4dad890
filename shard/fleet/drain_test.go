package fleet

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
func TestReplicaWhosePodWasReplacedStopsAndReportsNothing(t *testing.T) {
	for _, c := range []struct {
		name     string
		standby  bool
		ordinal  int
		replicas int32
		created  time.Duration // of the pod in the watch, after that of the replica
		serves   bool
	}{
		{name: "with standby", standby: true, ordinal: 0, replicas: 3, created: time.Minute},
		{name: "scaled down", ordinal: 1, replicas: 1, created: time.Minute},
		{name: "with standby, the watch is late", standby: true, ordinal: 0, replicas: 3, created: -time.Minute, serves: true},
		{name: "scaled down, the watch is late", ordinal: 1, replicas: 1, created: -time.Minute, serves: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				own, other := fleetPod(fmt.Sprint("fleet-", c.ordinal), true, false), fleetPod(fmt.Sprint("fleet-", 1-c.ordinal), true, false)
				own.UID, own.CreationTimestamp = "own", metav1.NewTime(noon)
				f := newTestFleet(t, 2, configMapWith(topology{Generation: 1, Active: 2, Set: "set", Revision: 1}), own, other)
				g := f.startPod(c.ordinal, c.standby)
				plan := shard.Plan{Ordinal: c.ordinal, Active: 2, Target: 2, Standby: c.standby}
				g.waitPlan(t, plan)
				next := own.DeepCopy()
				next.UID, next.CreationTimestamp = "next", metav1.NewTime(noon.Add(c.created))
				f.becomes(g, next, plan)
				g.hold()
				f.scale(c.replicas)
				plan.Target = int(c.replicas)
				g.waitPlan(t, plan)
				time.Sleep(time.Minute) // in which it would report that it holds its part

				drained := make(chan error, 1)
				go func() { drained <- g.Drain(t.Context()) }()
				time.Sleep(10 * time.Second)
				if serves := len(drained) == 0; serves != c.serves {
					t.Errorf("asked to stop, it serves on: %t, want %t", serves, c.serves)
				}
				now, err := f.client.Tracker().Get(configMaps, namespace, "fleet-topology")
				if err != nil {
					t.Fatal(err)
				}
				r := parseReports(now.(*corev1.ConfigMap).Data)[c.ordinal]
				if reported := r.Generation == 2; reported != c.serves {
					t.Errorf("report %v, want one of the transition: %t", r, c.serves)
				}
			})
		})
	}
}
