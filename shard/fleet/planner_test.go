package fleet

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/statefleet/statefleet/shard"
)

// A replica with standby, too, has no plan at all while it waits for others to restore the topology.
func TestReplicaThatWaitsHasNoPlan(t *testing.T) {
	pl := planner{incarnation: "x", oomKilled: true}
	snap := snapshot{desired: desiredReplicas(3), known: true, absent: true, standby: true, peers: peers{}, now: noon}
	pl.update(snap)
	if pl.plan != (shard.Plan{}) || !pl.firstPlanAt.IsZero() {
		t.Errorf("the plan is %+v, first made at %s", pl.plan, pl.firstPlanAt)
	}
}

// A replica that joins or leaves the active ones holds no part of the active table anyway.
func TestOnlyActiveReplicasAreLimitedToTheTarget(t *testing.T) {
	for ordinal, want := range map[int]bool{-1: false, 0: true, 1: true, 2: false, 3: false} {
		pl := planner{oomKilled: true, plan: shard.Plan{Ordinal: ordinal, Active: 2, Target: 4}}
		pl.limitToTarget(snapshot{now: noon})
		if pl.plan.NextOnly != want {
			t.Errorf("ordinal %d of 2: limited %t, want %t", ordinal, pl.plan.NextOnly, want)
		}
	}
}

func TestHoldingEverythingTakesAWholePlan(t *testing.T) {
	for _, c := range []struct {
		plan shard.Plan
		all  bool
		want bool
	}{
		{shard.Plan{Active: 2, Target: 2}, true, true},
		{shard.Plan{Active: 2, Target: 2}, false, false},
		{shard.Plan{Active: 2, Target: 4, NextOnly: true}, true, false},
		{shard.Plan{}, true, false},
	} {
		pl := planner{plan: c.plan}
		pl.recordHeld(shard.Held{Next: true, All: c.all})
		if pl.heldAll != c.want {
			t.Errorf("plan %+v, all held %t: recorded %t", c.plan, c.all, pl.heldAll)
		}
	}
}

func TestReplicaLeavesForAsLongAsTheWindow(t *testing.T) {
	for since, want := range map[time.Duration]bool{0: true, exclusionWindow - 1: true, exclusionWindow: false} {
		pl := planner{excluded: noon}
		pl.updateLeaving(snapshot{desired: desiredReplicas(3), now: noon.Add(since)})
		if pl.leaving != want {
			t.Errorf("%s after it was excluded: leaving %t, want %t", since, pl.leaving, want)
		}
	}
}

func TestTopologyIsReadByTheFleetAndByThoseThatServe(t *testing.T) {
	for _, c := range []struct{ active, want members }{
		{members{}, members{10, 3}}, // nothing is served yet
		{members{10, 2}, members{10, 3}},
		{members{10, 5}, members{10, 5}},
		{members{8, 3}, members{8, 5}},
		{members{2, 3}, members{2, 11}},
	} {
		snap := snapshot{desired: desiredReplicas(3), contents: contents{topology: topology{Active: c.active.total, Start: c.active.start}}}
		snap.desired.Start = 10
		if got := snap.readers(); got != c.want {
			t.Errorf("%v serve: read by %v, want %v", c.active, got, c.want)
		}
	}
}

func TestPlanWaitsForThePods(t *testing.T) {
	pl := planner{incarnation: "x"}
	snap := snapshot{desired: desiredReplicas(2), known: true, standby: true, now: noon}
	if pl.update(snap); pl.plan.Active != 0 {
		t.Errorf("plan %+v", pl.plan)
	}
	snap.standby = false // they may not be read
	if pl.update(snap); pl.plan.Active != 2 || pl.plan.Standby {
		t.Errorf("plan %+v", pl.plan)
	}
}

// A revision of the StatefulSet that this replica has read is none that only others have seen.
func TestOnlyUnknownRevisionsMakeTheStatefulSetStale(t *testing.T) {
	for _, c := range []struct {
		set      types.UID
		revision int64
		stale    bool
	}{{"u", 6, false}, {"u", 7, false}, {"u", 8, true}, {"another", 7, true}} {
		pl, snap := planner{}, snapshot{desired: desiredReplicas(3), usable: true, now: noon, desiredAsOf: noon.Add(-time.Second)}
		snap.topology = topology{Generation: 1, Active: 3, Set: c.set, Revision: c.revision}
		pl.updateStaleness(snap)
		if stale := !pl.staleSince.IsZero(); stale != c.stale {
			t.Errorf("revision %d of %s: stale %t, want %t", c.revision, c.set, stale, c.stale)
		}
	}
}
