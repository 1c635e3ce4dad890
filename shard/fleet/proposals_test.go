package fleet

import (
	"testing"
	"time"

	"github.com/statefleet/statefleet/shard"
)

// Such a report changes nothing, and could conflict with the write that completes the switch.
func TestReplicaDoesNotReportWhileASwitchIsScheduled(t *testing.T) {
	planned := topology{Generation: 4, Active: 2, Target: 3, Set: "u", Revision: 7}
	for name, c := range map[string]struct {
		switchAt time.Time
		problem  error
		reports  bool
	}{
		"no switch":        {reports: true},
		"scheduled switch": {switchAt: noon.Add(time.Minute)},
		"scheduled switch, then a topology of a newer version": {switchAt: noon.Add(time.Minute), problem: &newerError{}, reports: true},
	} {
		pl := planner{incarnation: "x", problem: c.problem, plan: shard.Plan{Active: 2, Target: 3}}
		pl.last = planned
		pl.last.SwitchAt = c.switchAt
		obs := observation{desired: desiredReplicas(3), known: true, usable: true, now: noon}
		if r, ok := pl.report(obs, shard.Held{Target: true, All: true}); ok != c.reports {
			t.Errorf("%s: report() = %v, %t, want %t", name, r, ok, c.reports)
		}
	}
}

// A replica serves by its plan. The topology that replaces a newer one must not move its shard.
func TestTopologyThatReplacesANewerOneKeepsTheShards(t *testing.T) {
	own := replicaReport{versions: versions{formatVersion, tableVersion}}
	obs := observation{desired: desiredReplicas(3), known: true, usable: true, now: noon, contents: contents{reports: map[int]replicaReport{}}}
	obs.desired.Start, obs.desired.Ordinal = 10, 1
	for number := range obs.desired.members().numbers() {
		obs.reports[number] = own
	}
	pl := planner{newer: topology{Generation: 9}, plan: shard.Plan{Ordinal: 2, Active: 4, Target: 4}}
	got, ok := pl.replaceNewer(obs, pl.nextInput(obs))
	if !ok || got.Active != 4 || got.Start != 11-2 || got.Generation <= 9 {
		t.Errorf("got %+v, %t, want the table of the plan", got, ok)
	}
	pl.plan = shard.Plan{}
	if got, ok := pl.replaceNewer(obs, pl.nextInput(obs)); !ok || got.Active != 3 || got.Start != 10 {
		t.Errorf("without a plan: got %+v, %t, want the desired table", got, ok)
	}
	delete(obs.reports, 12)
	if got, ok := pl.replaceNewer(obs, pl.nextInput(obs)); ok {
		t.Errorf("got %+v, want nothing: a replica that has not reported may support the newer format", got)
	}
}
