package fleet

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	k8stesting "k8s.io/client-go/testing"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/shard"
)

func TestOverviewOfAnAssignment(t *testing.T) {
	o := StaticOverview(shard.Assignment{Ordinal: 1, Total: 3})
	if o.Coordinated || o.Active != 3 || o.Target != 0 || o.StatefulSet != "" || o.Problem != nil || len(o.Replicas) != 3 {
		t.Fatalf("got overview %+v, want an uncoordinated one of 3 replicas", o)
	}
	var whole shard.Ranges
	for i, r := range o.Replicas {
		if r.Ordinal != i || r.Self != (i == 1) || r.State != PodUnknown || r.ServedBy != nil || r.TargetOwn != nil || r.Holds {
			t.Errorf("replica %d: got %+v", i, r)
		}
		whole = whole.Union(r.Own)
	}
	if !whole.Equal(shard.All()) {
		t.Errorf("together the replicas own %v, want the whole ring", whole)
	}
	if o := StaticOverview(shard.Assignment{Ordinal: 7, Total: 1000}); len(o.Replicas) != 1000 || o.Replicas[7].Own != nil || !o.Replicas[7].Self {
		t.Error("the overview of a large fleet must list all replicas, without ranges")
	}
}

func TestOverviewIsEmptyBeforeTheStatefulSetIsFound(t *testing.T) {
	if o := new(Coordinator).Overview(); len(o.Replicas) != 0 || o.Active != 0 || !o.LastContact.Topology.IsZero() {
		t.Errorf("got overview %+v, want an empty one", o)
	}
}

func TestOverviewOfATransition(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		object := configMapWith(topology{Generation: 4, Active: 2, Target: 3, Set: "set", Revision: 1, StartedAt: noon})
		object.Data[reportKey(1)] = replicaReport{Generation: 4, Target: 3, Holds: true}.String()
		object.Data[reportKey(2)] = replicaReport{Generation: 3, Target: 3, Holds: true}.String() // of an earlier transition
		before := time.Now()
		a := newTestFleet(t, 3, object, fleetPod("fleet-0", true, false), fleetPod("fleet-1", true, false)).startReplica(0)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 3})
		var o Overview
		until(t, "an overview", func() bool { o = a.Overview(); return !o.LastContact.Pods.IsZero() })
		if !o.Coordinated || o.Active != 2 || o.Target != 3 || o.StatefulSet != "fleet" || o.Topology != "fleet-topology" || o.Problem != nil {
			t.Errorf("got overview %+v, want a coordinated transition from 2 to 3", o)
		}
		if o.LastContact.StatefulSet.Before(before) || o.LastContact.Topology.Before(before) || o.LastContact.Pods.Before(before) {
			t.Errorf("last contact: StatefulSet %v, topology %v, pods %v; want all after %v", o.LastContact.StatefulSet, o.LastContact.Topology, o.LastContact.Pods, before)
		}
		for i, want := range []struct {
			holds, own bool
			server     *int
			state      PodState
		}{{false, true, new(0), PodReady}, {true, true, new(1), PodReady}, {false, false, nil, podAbsent}} {
			r := o.Replicas[i]
			if r.Holds != want.holds || (r.Own != nil) != want.own || r.TargetOwn == nil || !reflect.DeepEqual(r.ServedBy, want.server) || r.State != want.state {
				t.Errorf("replica %d: got %+v, want %+v", i, r, want)
			}
		}
		if late := o.Late(); !slices.Equal(late, []int{0, 2}) || o.Outside() {
			t.Errorf("late: %v, outside: %v; want replicas 0 and 2, false", late, o.Outside())
		}
		if o.Replicas[2].Pod != "fleet-2" || !o.Replicas[0].Self {
			t.Errorf("got replicas %+v", o.Replicas)
		}
	})
}

// Pods and reports are named by number, replicas by ordinal.
func TestOverviewOfAFleetThatCountsFromTen(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		object := configMapWith(topology{Generation: 4, Active: 1, Start: 10, Target: 2, TargetStart: 10, Set: "set", Revision: 2})
		object.Data[reportKey(10)] = replicaReport{Generation: 4, Target: 2, Holds: true}.String()
		f := newTestFleet(t, 2, object)
		set := f.replicas(2).(*appsv1.StatefulSet)
		set.Spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: 10}
		if err := f.client.Tracker().Update(statefulSets, set, namespace); err != nil {
			t.Fatal(err)
		}
		a := f.startReplica(11)
		a.waitPlan(t, shard.Plan{Ordinal: 1, Active: 1, Target: 2})
		var o Overview
		until(t, "both replicas", func() bool { o = a.Overview(); return len(o.Replicas) == 2 })
		for i, want := range []Replica{{Pod: "fleet-10", Holds: true}, {Pod: "fleet-11"}} {
			if r := o.Replicas[i]; r.Ordinal != i || r.Pod != want.Pod || r.Holds != want.Holds {
				t.Errorf("got %+v, want %+v", r, want)
			}
		}
	})
}

func TestOverviewShowsWhichReplicaServes(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		f := newTestFleet(t, 4, configMapWith(topology{Generation: 1, Active: 4, Set: "set", Revision: 1}),
			fleetPod("fleet-0", true, false), fleetPod("fleet-1", false, false), fleetPod("fleet-2", true, false),
			fleetPod("fleet-3", true, true), fleetPod("fleet-5", false, true))
		a := f.startStandby(0)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 4, Target: 4, Standby: true, ServesNeighbour: true})
		o := a.Overview()
		if o.LastContact.Pods.IsZero() || !o.ServesNeighbour {
			t.Errorf("got overview %+v, want a replica that serves its neighbour", o)
		}
		want := []struct {
			ordinal int
			state   PodState
			server  *int
		}{{0, PodReady, new(0)}, {1, podUnready, new(2)}, {2, PodReady, new(2)}, {3, podStopping, new(0)}, {5, podStopping, nil}}
		if len(o.Replicas) != len(want) {
			t.Fatalf("got replicas %+v, want %d", o.Replicas, len(want))
		}
		for i, w := range want {
			if r := o.Replicas[i]; r.Ordinal != w.ordinal || r.State != w.state || !reflect.DeepEqual(r.ServedBy, w.server) {
				t.Errorf("got %+v, want %+v", r, w)
			}
		}
		obs := observation{peers: peers{1: {ready: true}}}
		if obs.podState(0) != podAbsent || obs.servedBy(0, 0, 1) != nil || obs.servedBy(2, 0, 4) != nil {
			t.Error("an absent pod counts as serving")
		}
	})
}

// Without standby no other replica serves the shard of a pod that is not ready.
func TestOverviewOfADefaultFleetShowsPods(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		a := newTestFleet(t, 3, configMapWith(topology{Generation: 1, Active: 3, Set: "set", Revision: 1}),
			fleetPod("fleet-0", true, false), fleetPod("fleet-1", false, false)).startReplica(0)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 3, Target: 3})
		var o Overview
		until(t, "the pods", func() bool { o = a.Overview(); return !o.LastContact.Pods.IsZero() })
		for i, want := range []Replica{{State: PodReady, ServedBy: new(0)}, {State: podUnready}, {State: podAbsent}} {
			if r := o.Replicas[i]; r.State != want.State || !reflect.DeepEqual(r.ServedBy, want.ServedBy) {
				t.Errorf("replica %d: got %+v, want %+v", i, r, want)
			}
		}
	})
}

func TestOverviewHasTheReasonForMissingCoordination(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		a := newTestFleet(t, 2).startReplica(0)
		a.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2})
		until(t, "the reason", func() bool { return errors.Is(a.Overview().Problem, errMissing) })

		f := newTestFleet(t, 2, configMapWith(topology{Generation: 1, Active: 2, Set: "set", Revision: 1}))
		f.client.PrependReactor("list", "configmaps", func(k8stesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(configMaps.GroupResource(), "fleet-topology", nil)
		})
		b := f.startReplica(0)
		b.waitPlan(t, shard.Plan{Ordinal: 0, Active: 2, Target: 2})
		until(t, "the reason", func() bool { return errors.Is(b.Overview().Problem, errForbidden) })
	})
}

// The StatefulSet counts from 10, and its first ordinal moves by one.
func TestOverviewOfAFleetWhoseFirstOrdinalChanges(t *testing.T) {
	o := Overview{Status: Status{Ordinal: 1, Active: 3, Target: 2, start: 10, shift: 1}}
	obs := observation{standby: true, peers: peers{
		10: {ready: true, address: "10.0.0.10"}, 11: {reason: "CrashLoopBackOff"}, 15: {ready: true, terminating: true},
	}}
	o.addReplicas(obs)
	active, errActive := shard.NewTable(3)
	target, errTarget := shard.NewTable(2)
	if err := errors.Join(errActive, errTarget); err != nil {
		t.Fatal(err)
	}
	want := []Replica{
		{Ordinal: 0, State: PodReady, Address: "10.0.0.10", Own: active.Ranges(0), ServedBy: new(0)},
		{Ordinal: 1, Self: true, State: podUnready, Reason: "CrashLoopBackOff", Own: active.Ranges(1), TargetOwn: target.Ranges(0)},
		{Ordinal: 2, State: podAbsent, Own: active.Ranges(2), TargetOwn: target.Ranges(1), ServedBy: new(0)},
		{Ordinal: 5, State: podStopping},
	}
	if len(o.Replicas) != len(want) {
		t.Fatalf("got %d replicas, want %d", len(o.Replicas), len(want))
	}
	for i, r := range o.Replicas {
		w := want[i]
		if r.Ordinal != w.Ordinal || r.Self != w.Self || r.State != w.State || !reflect.DeepEqual(r.ServedBy, w.ServedBy) ||
			!r.Own.Equal(w.Own) || !r.TargetOwn.Equal(w.TargetOwn) || r.Address != w.Address || r.Reason != w.Reason {
			t.Errorf("got %+v, want %+v", r, w)
		}
	}
	if late := o.Late(); !slices.Equal(late, []int{1, 2}) {
		t.Errorf("late: got %v, want 1 and 2, the replicas of the target", late)
	}
	o.Ordinal = -1
	if !o.Outside() {
		t.Error("a replica before the first ordinal counts as active")
	}
}

// The table of such a fleet takes long to compute.
func TestOverviewOfALargeFleetHasNoRanges(t *testing.T) {
	for _, c := range []struct {
		active, target int
		ranges         bool
	}{{maxReplicasWithRanges, 0, true}, {1, maxReplicasWithRanges, true}, {maxReplicasWithRanges + 1, 0, false}, {1, maxReplicasWithRanges + 1, false}} {
		o := Overview{Status: Status{Active: c.active, Target: c.target}}
		o.addReplicas(observation{})
		if got := o.Replicas[0].Own != nil; got != c.ranges {
			t.Errorf("active %d, target %d: got ranges %t, want %t", c.active, c.target, got, c.ranges)
		}
	}
}

func TestOverviewReportsWhichReplicasATableIncludes(t *testing.T) {
	o := Overview{Status: Status{Active: 3, Target: 2, shift: 1}}
	for ordinal, want := range []bool{false, true, true, false} {
		if got := o.InTarget(Replica{Ordinal: ordinal}); got != want {
			t.Errorf("ordinal %d: InTarget() = %t, want %t", ordinal, got, want)
		}
	}
	for _, c := range []struct {
		ordinal, active int
		want            bool
	}{{0, 3, false}, {2, 3, false}, {3, 3, true}, {-1, 3, true}, {3, 0, false}} {
		if got := (Overview{Status: Status{Ordinal: c.ordinal, Active: c.active}}).Outside(); got != c.want {
			t.Errorf("ordinal %d of %d: Outside() = %t, want %t", c.ordinal, c.active, got, c.want)
		}
	}
	serves := []Replica{{Ordinal: 1}, {Ordinal: 1, ServedBy: new(2)}, {Ordinal: 1, ServedBy: new(1)}}
	for i, r := range serves {
		if got := r.ServesItself(); got != (i == 2) {
			t.Errorf("%+v: ServesItself() = %t, want %t", r, got, i == 2)
		}
	}
	obs := observation{peers: peers{4: {ready: true}}}
	if by := obs.servedBy(4, 0, 4); by != nil {
		t.Errorf("a shard that does not exist is served by %d, want no replica", *by)
	}
}

// The problem of the ConfigMap and the time of the switch are not in the status.
func TestOverviewReadsTheConfigMap(t *testing.T) {
	object, broken := &corev1.ConfigMap{}, errors.New("broken")
	for _, c := range []struct {
		name   string
		status Status
		stored stored
		want   error
	}{
		{"unreadable", Status{Active: 3}, stored{err: errMissing}, errMissing},
		{"invalid", Status{Active: 3}, stored{object: object, contents: contents{err: broken}}, broken},
		{"valid, but this replica does not coordinate", Status{Active: 3}, stored{object: object}, errNotWritable},
		{"valid", Status{Active: 3, Coordinated: true}, stored{object: object}, nil},
		{"nothing served yet", Status{}, stored{object: object}, nil},
		{"not read yet", Status{Active: 3}, stored{}, nil},
	} {
		o := Overview{Status: c.status}
		if o.readStore(c.stored); o.Problem != c.want { //nolint:errorlint // the same error
			t.Errorf("%s: got problem %v, want %v", c.name, o.Problem, c.want)
		}
	}
	read := stored{contents: contents{topology: topology{Generation: 4, SwitchAt: noon}}}
	now, earlier := Overview{Status: Status{Generation: 4}}, Overview{Status: Status{Generation: 3}}
	now.readStore(read)
	earlier.readStore(read)
	if !now.SwitchAt.Equal(noon) || !earlier.SwitchAt.IsZero() {
		t.Errorf("got a switch at %v, and at %v with an earlier generation, want %v and none", now.SwitchAt, earlier.SwitchAt, noon)
	}
}

func TestPodStatesInJSON(t *testing.T) {
	text, err := json.Marshal([]PodState{PodUnknown, PodReady, podUnready})
	if want := `[null,"ready","not ready"]`; err != nil || string(text) != want {
		t.Errorf("got %s, error %v, want %s", text, err, want)
	}
}
