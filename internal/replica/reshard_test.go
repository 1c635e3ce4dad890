package replica

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/internal/testing/exporter"
	"github.com/statefleet/statefleet/shard"
)

func TestPreparedRangesAreHiddenUntilTheSwitch(t *testing.T) {
	r := populatedWorld(t).start(nil)
	r.Follow(plan(0, 3, 3))
	r.waitReady()
	r.Follow(plan(0, 3, 2))
	r.waitHolds(plan(0, 3, 2))
	r.wantServes(0, 3)
	if r.value("statefleet_objects_hidden", "resource", "pods") == 0 {
		t.Error("no hidden objects before the switch")
	}
	rendered := r.rendered()
	r.Follow(plan(0, 2, 2))
	r.waitServes(2)
	r.waitHolds(plan(0, 2, 2))
	if now := r.rendered(); now != rendered {
		t.Errorf("the switch has rendered %v objects, want none", now-rendered)
	}
}

func TestNewReplicaIsNotReadyBeforeTheSwitch(t *testing.T) {
	r := populatedWorld(t).start(nil)
	r.Follow(plan(2, 2, 2))
	eventually(t, "an error that names the missing shard", func() bool { return r.Ready() != nil && strings.Contains(r.Ready().Error(), "outside of the fleet") })
	r.Follow(plan(2, 2, 3))
	r.waitHolds(plan(2, 2, 3))
	if err := r.Ready(); err == nil {
		t.Error("ready before the switch")
	}
	if n := len(podsIn(r.samples())); n > 0 {
		t.Errorf("%d pods are visible before the switch, want none", n)
	}
	r.Follow(plan(2, 3, 3))
	r.waitReady()
	r.wantServes(2, 3)
}

func TestLeavingReplicaServesUntilTheSwitch(t *testing.T) {
	w := populatedWorld(t)
	r := w.start(nil)
	r.Follow(plan(2, 3, 3))
	r.waitReady()
	r.Follow(plan(2, 3, 2))
	r.waitHolds(plan(2, 3, 2))
	r.wantServes(2, 3)
	r.Follow(plan(2, 2, 2))
	eventually(t, "the replica without a shard is not ready", func() bool { return r.Ready() != nil })
	if n := len(podsIn(r.samples())); n > 0 {
		t.Errorf("%d pods are visible after the switch, want none", n)
	}
	other := w.start(func(o *Options) { o.only("nodes") })
	other.assign(0, 1)
	other.waitReady()
	var requests atomic.Int64 // of kinds that the other replica does not have
	w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/nodes") {
			requests.Add(1)
		}
		return false
	})
	w.cluster.CloseWatches()
	w.put(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n9"}})
	eventually(t, "the other replica has opened its watch again", func() bool {
		return slices.ContainsFunc(other.samples(), func(line string) bool { return strings.Contains(line, `node="n9"`) })
	})
	if n := requests.Load(); n > 0 {
		t.Errorf("got %d requests of a replica without a shard, want none", n)
	}
	w.intercept(nil)
	r.Follow(plan(2, 2, 3))
	r.waitHolds(plan(2, 2, 3))
	r.Follow(plan(2, 3, 3))
	r.waitReady()
	r.wantServes(2, 3)
}

func TestCancelledReshardRestoresTheState(t *testing.T) {
	r := populatedWorld(t).start(nil)
	r.Follow(plan(0, 4, 4))
	r.waitReady()
	r.Follow(plan(0, 4, 1))
	r.waitHolds(plan(0, 4, 1))
	r.Follow(plan(0, 4, 4))
	r.waitHolds(plan(0, 4, 4))
	r.wantServes(0, 4)
	if n := r.value("statefleet_objects_hidden", "resource", "pods"); n > 0 {
		t.Errorf("%v pods are still held for the cancelled change", n)
	}
}

// TestMissedSwitchIsCaughtUp checks a replica that receives a switch together with the next change:
// it first serves the active table.
func TestMissedSwitchIsCaughtUp(t *testing.T) {
	r := populatedWorld(t).start(nil)
	r.Follow(plan(0, 4, 4))
	r.waitReady()
	r.Follow(plan(0, 4, 3))
	r.waitHolds(plan(0, 4, 3))
	r.Follow(plan(0, 3, 1))
	r.waitServes(3)
	r.waitHolds(plan(0, 3, 1))
	r.wantServes(0, 3)
	r.Follow(plan(0, 5, 2)) // an edited topology, of which nothing is held
	r.waitServes(5)
	r.waitHolds(plan(0, 5, 2))
	r.wantServes(0, 5)
}

func TestRestartDuringReshardLoadsBothTables(t *testing.T) {
	r := populatedWorld(t).start(nil)
	r.Follow(plan(0, 3, 2))
	r.waitReady()
	r.wantServes(0, 3)
	if !r.Holds(plan(0, 3, 2)).All {
		t.Error("ready before the target table is held")
	}
	r.Follow(plan(0, 2, 2))
	r.waitServes(2)
}

func TestScheduledSwitchChangesNothingYet(t *testing.T) {
	r := populatedWorld(t).start(nil)
	r.Follow(plan(0, 3, 2))
	r.waitReady()
	scheduled := plan(0, 3, 2)
	scheduled.SwitchScheduled = true
	r.Follow(scheduled)
	if !r.Holds(scheduled).All || !r.Holds(plan(0, 3, 2)).All {
		t.Error("the plan no longer counts as held")
	}
	r.wantServes(0, 3)
}

// standby returns the plan of replica 0 of 3, which also holds the shard of its neighbour, replica
// 2.
func standby(servesNeighbour, servedByStandby bool) shard.Plan {
	p := plan(0, 3, 3)
	p.Standby, p.ServesNeighbour, p.ServedByStandby = true, servesNeighbour, servedByStandby
	return p
}

func TestStandbyServesItsNeighbourOnlyWhenPlanned(t *testing.T) {
	r := populatedWorld(t).start(nil)
	r.Follow(standby(false, false))
	r.waitReady()
	r.wantServes(0, 3)
	rendered := r.rendered()
	both := expected(shard.Assignment{Ordinal: 0, Total: 3}, podCount)
	maps.Copy(both, expected(shard.Assignment{Ordinal: 2, Total: 3}, podCount))
	for range 3 {
		r.Follow(standby(true, false))
		eventually(t, "both shards are served", func() bool { return maps.Equal(podsIn(r.samples()), both) })
		r.Follow(standby(false, false))
		r.waitServes(3)
	}
	if now := r.rendered(); now != rendered {
		t.Errorf("%v objects were rendered again, want none", now-rendered)
	}
	if held, served := r.value("statefleet_shard_held_ratio", "", ""), r.value("statefleet_shard_served_ratio", "", ""); held < 0.6 || served > 0.4 {
		t.Errorf("the held share is %v and the served one %v, want two thirds and one third", held, served)
	}
	if !r.Holds(standby(true, false)).All || r.Holds(plan(0, 3, 3)).All {
		t.Error("Holds depends on what the replica serves")
	}
}

func TestReplicaServedByStandbyIsReadyButServesNothing(t *testing.T) {
	r := populatedWorld(t).start(nil)
	r.Follow(standby(false, true))
	r.waitReady()
	if err := r.Serves(); err == nil || !strings.Contains(err.Error(), "another replica") {
		t.Errorf("Serves() = %v, want an error that names another replica", err)
	}
	if lines := r.samples(); len(lines) > 0 {
		t.Errorf("the replica serves %d samples, want none", len(lines))
	}
	r.Follow(standby(false, false))
	eventually(t, "the replica serves", func() bool { return r.Serves() == nil })
	r.wantServes(0, 3)
	r.Follow(standby(false, true))
	eventually(t, "the replica no longer serves", func() bool { return r.Serves() != nil })
	if err := r.Ready(); err != nil {
		t.Errorf("Ready() = %v, want nil", err)
	}
}

func TestStandbyDuringReshard(t *testing.T) {
	r := populatedWorld(t).start(nil)
	r.Follow(standby(false, false))
	r.waitReady()
	growing := standby(false, false)
	growing.Target = 4 // its neighbour is replica 3 then
	r.Follow(growing)
	r.waitHolds(growing)
	growing.ServesNeighbour = true // during the change
	r.Follow(growing)
	both := expected(shard.Assignment{Ordinal: 0, Total: 3}, podCount)
	maps.Copy(both, expected(shard.Assignment{Ordinal: 2, Total: 3}, podCount))
	eventually(t, "both shards are served", func() bool { return maps.Equal(podsIn(r.samples()), both) })
	grown := standby(false, false)
	grown.Active, grown.Target = 4, 4
	r.Follow(grown)
	r.waitServes(4)
	r.waitHolds(grown)
	grown.ServesNeighbour = true
	r.Follow(grown)
	both = expected(shard.Assignment{Ordinal: 0, Total: 4}, podCount)
	maps.Copy(both, expected(shard.Assignment{Ordinal: 3, Total: 4}, podCount))
	eventually(t, "both shards of four are served", func() bool { return maps.Equal(podsIn(r.samples()), both) })
	if n := r.value("statefleet_objects_hidden", "", ""); n != 0 {
		t.Errorf("%v objects are hidden, want none", n)
	}
}

// TestReshardListsAddedRangesOnly checks that the lists of a change ask for added ranges only.
func TestReshardListsAddedRangesOnly(t *testing.T) {
	w := populatedWorld(t)
	r := w.start(nil)
	r.Follow(plan(0, 3, 3))
	r.waitReady()
	for i := range podCount { // so that the watch has received events
		w.pod(i, "n1")
	}
	eventually(t, "all pods on n1", func() bool { return !strings.Contains(strings.Join(r.samples(), "\n"), `node="n0"`) })
	var mu sync.Mutex
	selectors := map[string]bool{}
	w.intercept(func(_ http.ResponseWriter, req *http.Request) bool {
		if q := req.URL.Query(); strings.HasSuffix(req.URL.Path, "/pods") && q.Get("watch") == "" {
			mu.Lock()
			defer mu.Unlock()
			selectors[q.Get("shardSelector")] = true
		}
		return false
	})
	r.Follow(plan(0, 3, 2))
	r.waitHolds(plan(0, 3, 2))
	s := plan(0, 3, 2).Shards()
	mu.Lock()
	defer mu.Unlock()
	if want := s.TargetOwn.Difference(s.Own).Selector(); len(selectors) != 1 || !selectors[want] {
		t.Errorf("got lists with the selectors %v, want %q only", slices.Collect(maps.Keys(selectors)), want)
	}
}

// TestReshardWithoutGaps checks that each exposition has exactly the objects of the old or of the
// new shard.
func TestReshardWithoutGaps(t *testing.T) {
	w := newWorld(t)
	const pods = 500
	for i := range pods {
		w.pod(i, "n0")
	}
	r := w.start(nil)
	steps := []shard.Assignment{{Ordinal: 0, Total: 2}, {Ordinal: 0, Total: 3}, {Ordinal: 0, Total: 5}, {Ordinal: 0, Total: 2}, {Ordinal: 0, Total: 1}, {Ordinal: 0, Total: 4}}
	r.Follow(shard.Uncoordinated(steps[0]))
	r.waitReady()
	now := expected(steps[0], pods)
	loaded := len(now)
	if got := podsIn(r.samples()); !maps.Equal(got, now) {
		t.Fatalf("got %d pods at the start, want %d", len(got), len(now))
	}
	for _, step := range steps[1:] {
		next := expected(step, pods)
		r.Follow(shard.Uncoordinated(step))
		eventually(t, "the change to "+step.String(), func() bool {
			got := podsIn(r.samples())
			if !maps.Equal(got, now) && !maps.Equal(got, next) {
				t.Fatalf("the exposition has %d pods and is neither the old shard of %d nor the new one of %d", len(got), len(now), len(next))
			}
			return maps.Equal(got, next)
		})
		for uid := range next {
			if !now[uid] {
				loaded++
			}
		}
		now = next
	}
	if n := r.rendered(); n != float64(loaded) {
		t.Errorf("%v objects were rendered, want %d: those of the first shard and the added ones", n, loaded)
	}
}

func TestLastOfSeveralAssignmentsWins(t *testing.T) {
	w := newWorld(t)
	for i := range 300 {
		w.pod(i, "n0")
	}
	r := w.start(nil)
	r.assign(1, 2)
	r.waitReady()
	for _, total := range []int{7, 3, 2, 9, 4} {
		r.assign(1, total)
	}
	want := expected(shard.Assignment{Ordinal: 1, Total: 4}, 300)
	eventually(t, "the last assignment", func() bool { return maps.Equal(podsIn(r.samples()), want) })
	w.pod(1000, "n0")
	w.removePod(0)
	all := expected(shard.Assignment{Ordinal: 1, Total: 4}, 300)
	delete(all, string(uid(0)))
	if (shard.Assignment{Ordinal: 1, Total: 4}).Ranges().Contains(shard.Hash(string(uid(1000)))) {
		all[string(uid(1000))] = true
	}
	eventually(t, "events after the changes", func() bool { return maps.Equal(podsIn(r.samples()), all) })
}

// TestLogTellsWhichRangesAreLoaded covers a replica that is outside of its fleet, joins it, loses
// ranges and gets them back.
func TestLogTellsWhichRangesAreLoaded(t *testing.T) {
	t.Parallel()
	var log exporter.Buffer
	r := populatedWorld(t).start(func(o *Options) {
		podsOnly(o)
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	for _, step := range []struct {
		plan            shard.Plan
		loaded, outside int
	}{
		{plan(3, 3, 3), 0, 1},
		{plan(3, 4, 4), 1, 1},
		{plan(3, 8, 8), 1, 1}, // half of what it had
		{plan(3, 4, 4), 2, 1},
	} {
		r.Follow(step.plan)
		r.waitHolds(step.plan)
		if n := strings.Count(log.String(), "loading added hash ranges"); n != step.loaded {
			t.Errorf("%+v: loading of ranges was logged %d times, want %d", step.plan, n, step.loaded)
		}
		if n := strings.Count(log.String(), "outside of the fleet"); n != step.outside {
			t.Errorf("%+v: being outside of the fleet was logged %d times, want %d", step.plan, n, step.outside)
		}
	}
}

func TestReplicaWithoutAShardWatchesNothing(t *testing.T) {
	t.Parallel()
	w := populatedWorld(t)
	var open atomic.Int64
	w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		open.Add(1)
		context.AfterFunc(r.Context(), func() { open.Add(-1) })
		return false
	})
	r := w.start(podsOnly)
	r.Follow(plan(2, 3, 3))
	r.waitReady()
	eventually(t, "a watch of the pods", func() bool { return open.Load() == 1 })
	r.Follow(plan(2, 2, 2))
	r.waitHolds(plan(2, 2, 2))
	eventually(t, "the end of the watch", func() bool { return open.Load() == 0 })
	r.Follow(plan(2, 3, 3))
	r.waitReady()
	r.wantServes(2, 3)
}
