package fleet

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/shard"
)

// A replica has no plan while it waits for others to restore the topology. This includes replicas with standby.
func TestReplicaThatWaitsHasNoPlan(t *testing.T) {
	pl := planner{incarnation: "x", oomKilled: true}
	obs := observation{desired: desiredReplicas(3), known: true, absent: true, standby: true, peers: peers{}, now: noon}
	pl.update(obs)
	if pl.plan != (shard.Plan{}) || !pl.firstPlanAt.IsZero() {
		t.Errorf("got plan %+v, first made at %s, want none", pl.plan, pl.firstPlanAt)
	}
}

// A replica outside the active table holds no part of that table anyway.
func TestOnlyActiveReplicasAreLimitedToTheTarget(t *testing.T) {
	for ordinal, want := range map[int]bool{-1: false, 0: true, 1: true, 2: false, 3: false} {
		pl := planner{oomKilled: true, plan: shard.Plan{Ordinal: ordinal, Active: 2, Target: 4}}
		pl.limitToTarget(observation{now: noon})
		if pl.plan.TargetOnly != want {
			t.Errorf("ordinal %d of 2: TargetOnly = %t, want %t", ordinal, pl.plan.TargetOnly, want)
		}
	}
}

func TestHeldAllRequiresACompletePlan(t *testing.T) {
	for _, c := range []struct {
		plan shard.Plan
		all  bool
		want bool
	}{
		{shard.Plan{Active: 2, Target: 2}, true, true},
		{shard.Plan{Active: 2, Target: 2}, false, false},
		{shard.Plan{Active: 2, Target: 4, TargetOnly: true}, true, false},
		{shard.Plan{}, true, false},
	} {
		pl := planner{plan: c.plan}
		pl.recordHeld(shard.Held{Target: true, All: c.all})
		if pl.heldAll != c.want {
			t.Errorf("plan %+v, all held %t: heldAll = %t, want %t", c.plan, c.all, pl.heldAll, c.want)
		}
	}
}

func TestReplicaLeavesDuringTheExclusionWindow(t *testing.T) {
	for since, want := range map[time.Duration]bool{0: true, exclusionWindow - 1: true, exclusionWindow: false} {
		pl := planner{excluded: noon}
		pl.updateLeaving(observation{desired: desiredReplicas(3), now: noon.Add(since)})
		if pl.leaving != want {
			t.Errorf("%s after the exclusion: leaving = %t, want %t", since, pl.leaving, want)
		}
	}
}

func TestReadersOfTheTopologyIncludeDesiredAndServingReplicas(t *testing.T) {
	for _, c := range []struct{ active, want members }{
		{members{}, members{10, 3}}, // no replica serves yet
		{members{10, 2}, members{10, 3}},
		{members{10, 5}, members{10, 5}},
		{members{8, 3}, members{8, 5}},
		{members{2, 3}, members{2, 11}},
	} {
		obs := observation{desired: desiredReplicas(3), contents: contents{topology: topology{Active: c.active.total, Start: c.active.start}}}
		obs.desired.Start = 10
		if got := obs.readers(); got != c.want {
			t.Errorf("active %v: readers %v, want %v", c.active, got, c.want)
		}
	}
}

func TestPlanWaitsForThePods(t *testing.T) {
	pl := planner{incarnation: "x"}
	obs := observation{desired: desiredReplicas(2), known: true, standby: true, now: noon}
	if pl.update(obs); pl.plan.Active != 0 {
		t.Errorf("got plan %+v before the pods were read, want none", pl.plan)
	}
	obs.standby = false // the replica may not read the pods
	if pl.update(obs); pl.plan.Active != 2 || pl.plan.Standby {
		t.Errorf("got plan %+v, want 2 active without standby", pl.plan)
	}
}

// A revision that this replica has read is not unknown.
func TestOnlyUnknownRevisionsMakeTheStatefulSetStale(t *testing.T) {
	for _, c := range []struct {
		set      types.UID
		revision int64
		stale    bool
	}{{"u", 6, false}, {"u", 7, false}, {"u", 8, true}, {"another", 7, true}} {
		pl, obs := planner{}, observation{desired: desiredReplicas(3), usable: true, now: noon, desiredAsOf: noon.Add(-time.Second)}
		obs.topology = topology{Generation: 1, Active: 3, Set: c.set, Revision: c.revision}
		pl.updateStaleness(obs)
		if stale := !pl.staleSince.IsZero(); stale != c.stale {
			t.Errorf("revision %d of StatefulSet %s: stale = %t, want %t", c.revision, c.set, stale, c.stale)
		}
	}
}
