package replica

import (
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
)

const planned = 300 // pods

// plannedWorld has pods enough for each of some replicas to own a part.
func plannedWorld(t *testing.T) *world { return plannedWorldOn(t, nil) }

func plannedWorldOn(t *testing.T, listener net.Listener) *world {
	w := newWorldOn(t, listener)
	for i := range planned {
		w.pod(i, "n0")
	}
	return w
}

func plan(ordinal, active, target int) shard.Plan {
	return shard.Plan{Ordinal: ordinal, Active: active, Target: target}
}

func (r *run) waitHolds(p shard.Plan) {
	r.t.Helper()
	eventually(r.t, "the plan is held", func() bool { return r.Holds(p).All })
}

// serves fails unless the page has the pods of a shard and no others.
func (r *run) serves(ordinal, total int) {
	r.t.Helper()
	want := expected(shard.Assignment{Ordinal: ordinal, Total: total}, planned)
	if got := podsOn(r.samples()); !maps.Equal(got, want) {
		r.t.Errorf("%d pods on the page, want the %d of shard %d of %d", len(got), len(want), ordinal, total)
	}
}

func (r *run) waitServes(total int) {
	r.t.Helper()
	want := expected(shard.Assignment{Ordinal: 0, Total: total}, planned)
	eventually(r.t, "another shard is served", func() bool { return maps.Equal(podsOn(r.samples()), want) })
}

func TestWhatIsPreparedIsNotServedBeforeTheSwitch(t *testing.T) {
	r := plannedWorld(t).start(nil)
	r.Follow(plan(0, 3, 3))
	r.waitReady()
	r.Follow(plan(0, 3, 2))
	r.waitHolds(plan(0, 3, 2))
	r.serves(0, 3)
	if r.value("statefleet_objects_hidden", "resource", "pods") == 0 {
		t.Error("nothing was prepared")
	}
	rendered := r.rendered()
	r.Follow(plan(0, 2, 2))
	r.waitServes(2)
	r.waitHolds(plan(0, 2, 2))
	if now := r.rendered(); now != rendered {
		t.Errorf("%v objects were rendered at the switch", now-rendered)
	}
}

func TestNewcomerIsNotReadyBeforeTheSwitch(t *testing.T) {
	r := plannedWorld(t).start(nil)
	r.Follow(plan(2, 2, 2))
	eventually(t, "a reason", func() bool { return r.Ready() != nil && strings.Contains(r.Ready().Error(), "outside of the fleet") })
	r.Follow(plan(2, 2, 3))
	r.waitHolds(plan(2, 2, 3))
	if err := r.Ready(); err == nil {
		t.Error("ready before the fleet has changed over")
	}
	if n := len(podsOn(r.samples())); n > 0 {
		t.Errorf("%d pods on the page before the switch", n)
	}
	r.Follow(plan(2, 3, 3))
	r.waitReady()
	r.serves(2, 3)
}

func TestLeaverServesUntilTheSwitchAndMayComeBack(t *testing.T) {
	w := plannedWorld(t)
	r := w.start(nil)
	r.Follow(plan(2, 3, 3))
	r.waitReady()
	r.Follow(plan(2, 3, 2))
	r.waitHolds(plan(2, 3, 2))
	r.serves(2, 3)
	r.Follow(plan(2, 2, 2))
	eventually(t, "not ready without a shard", func() bool { return r.Ready() != nil })
	if n := len(podsOn(r.samples())); n > 0 {
		t.Errorf("%d pods on the page after the switch", n)
	}
	requests := make(chan string, 100)
	bend := func(_ http.ResponseWriter, r *http.Request) bool {
		requests <- r.URL.Path
		return false
	}
	w.bend.Store(&bend)
	w.cluster.CloseWatches()
	w.pod(1000, "n0")
	if len(requests) > 0 {
		t.Errorf("%s was asked for by a replica that owns nothing", <-requests)
	}
	w.removePod(1000)
	w.bend.Store(nil)
	r.Follow(plan(2, 2, 3))
	r.waitHolds(plan(2, 2, 3))
	r.Follow(plan(2, 3, 3))
	r.waitReady()
	r.serves(2, 3)
}

func TestCancelledChangeLeavesEverythingAsItWas(t *testing.T) {
	r := plannedWorld(t).start(nil)
	r.Follow(plan(0, 4, 4))
	r.waitReady()
	r.Follow(plan(0, 4, 1))
	r.waitHolds(plan(0, 4, 1))
	r.Follow(plan(0, 4, 4))
	r.waitHolds(plan(0, 4, 4))
	r.serves(0, 4)
	if n := r.value("statefleet_objects_hidden", "resource", "pods"); n > 0 {
		t.Errorf("%v pods are still held for a change that is off", n)
	}
}

// TestMissedSwitchIsMadeUp: a replica that learns of a switch only with the next change serves what is active first.
func TestMissedSwitchIsMadeUp(t *testing.T) {
	r := plannedWorld(t).start(nil)
	r.Follow(plan(0, 4, 4))
	r.waitReady()
	r.Follow(plan(0, 4, 3))
	r.waitHolds(plan(0, 4, 3))
	r.Follow(plan(0, 3, 1))
	r.waitServes(3)
	r.waitHolds(plan(0, 3, 1))
	r.serves(0, 3)
	r.Follow(plan(0, 5, 2)) // a topology that was edited, of which nothing is held
	r.waitServes(5)
	r.waitHolds(plan(0, 5, 2))
	r.serves(0, 5)
}

func TestRestartInTheMiddleHoldsBothAtOnce(t *testing.T) {
	r := plannedWorld(t).start(nil)
	r.Follow(plan(0, 3, 2))
	r.waitReady()
	r.serves(0, 3)
	if !r.Holds(plan(0, 3, 2)).All {
		t.Error("ready before it holds what is next")
	}
	r.Follow(plan(0, 2, 2))
	r.waitServes(2)
}

func TestNamedInstantAloneChangesNothing(t *testing.T) {
	r := plannedWorld(t).start(nil)
	r.Follow(plan(0, 3, 2))
	r.waitReady()
	due := plan(0, 3, 2)
	due.SwitchScheduled = true
	r.Follow(due)
	if !r.Holds(due).All || !r.Holds(plan(0, 3, 2)).All {
		t.Error("the replica no longer knows what it holds")
	}
	r.serves(0, 3)
}

// standby is the plan of replica 0 of 3, which holds the shard of 2 as well.
func standby(covers, covered bool) shard.Plan {
	p := plan(0, 3, 3)
	p.Standby, p.ServesNeighbour, p.ServedByStandby = true, covers, covered
	return p
}

func TestStandbyServesItsNeighboursShardOnlyWhileItCovers(t *testing.T) {
	r := plannedWorld(t).start(nil)
	r.Follow(standby(false, false))
	r.waitReady()
	r.serves(0, 3)
	rendered := r.rendered()
	both := expected(shard.Assignment{Ordinal: 0, Total: 3}, planned)
	maps.Copy(both, expected(shard.Assignment{Ordinal: 2, Total: 3}, planned))
	for range 3 {
		r.Follow(standby(true, false))
		eventually(t, "both shards are served", func() bool { return maps.Equal(podsOn(r.samples()), both) })
		r.Follow(standby(false, false))
		r.waitServes(3)
	}
	if now := r.rendered(); now != rendered {
		t.Errorf("%v objects were read again", now-rendered)
	}
	if held, served := r.value("statefleet_shard_share", "", ""), r.value("statefleet_shard_share_served", "", ""); held < 0.6 || served > 0.4 {
		t.Errorf("share held %v, served %v", held, served)
	}
	if !r.Holds(standby(true, false)).All || r.Holds(plan(0, 3, 3)).All {
		t.Error("what the replica holds depends on what it serves")
	}
}

func TestCoveredReplicaIsReadyAndServesNothing(t *testing.T) {
	r := plannedWorld(t).start(nil)
	r.Follow(standby(false, true))
	r.waitReady()
	if err := r.Serves(); err == nil || !strings.Contains(err.Error(), "another replica") {
		t.Errorf("Serves() = %v", err)
	}
	if lines := r.samples(); len(lines) > 0 {
		t.Errorf("a page with %d samples", len(lines))
	}
	r.Follow(standby(false, false))
	eventually(t, "it serves", func() bool { return r.Serves() == nil })
	r.serves(0, 3)
	r.Follow(standby(false, true))
	eventually(t, "it gives up", func() bool { return r.Serves() != nil })
	if err := r.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
}

func TestStandbyThroughAChangeOfTheFleet(t *testing.T) {
	r := plannedWorld(t).start(nil)
	r.Follow(standby(false, false))
	r.waitReady()
	growing := standby(false, false)
	growing.Target = 4 // the neighbour is 3 then
	r.Follow(growing)
	r.waitHolds(growing)
	growing.ServesNeighbour = true // half-way
	r.Follow(growing)
	both := expected(shard.Assignment{Ordinal: 0, Total: 3}, planned)
	maps.Copy(both, expected(shard.Assignment{Ordinal: 2, Total: 3}, planned))
	eventually(t, "both shards are served", func() bool { return maps.Equal(podsOn(r.samples()), both) })
	grown := standby(false, false)
	grown.Active, grown.Target = 4, 4
	r.Follow(grown)
	r.waitServes(4)
	r.waitHolds(grown)
	grown.ServesNeighbour = true
	r.Follow(grown)
	both = expected(shard.Assignment{Ordinal: 0, Total: 4}, planned)
	maps.Copy(both, expected(shard.Assignment{Ordinal: 3, Total: 4}, planned))
	eventually(t, "both shards of four are served", func() bool { return maps.Equal(podsOn(r.samples()), both) })
	if n := r.value("statefleet_objects_hidden", "", ""); n != 0 {
		t.Errorf("%v objects are held for nothing", n)
	}
}

func TestKindThatComesToANewcomerIsWaitedFor(t *testing.T) {
	w := plannedWorld(t)
	hold := make(chan struct{})
	bend := func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/jobs") {
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		return false
	}
	w.bend.Store(&bend)
	all := builtin(t, resources.All())
	var pods, both []Kind
	for _, k := range all {
		if k.Name == "pods" {
			pods = append(pods, k)
		}
		if k.Name == "pods" || k.Name == "jobs" {
			both = append(both, k)
		}
	}
	r := w.start(func(o *Options) { o.Kinds = pods })
	r.Follow(plan(1, 1, 2))
	r.waitHolds(plan(1, 1, 2))
	r.SetKinds(both)
	eventually(t, "the plan is not held any more", func() bool { return !r.Holds(plan(1, 1, 2)).All })
	r.Follow(plan(1, 2, 2))
	eventually(t, "jobs are waited for", func() bool { return r.Ready() != nil && r.Ready().Error() == "not synced yet: jobs" })
	close(hold)
	r.waitReady()
	r.serves(1, 2)
}

// Held objects are not requested again: on an API server that shards, the lists of a change bring added ranges only.
func TestChangeListsWhatIsGained(t *testing.T) {
	w := plannedWorld(t)
	r := w.start(nil)
	r.Follow(plan(0, 3, 3))
	r.waitReady()
	for i := range planned { // so that the watch has brought something
		w.pod(i, "n1")
	}
	eventually(t, "updates", func() bool { return !strings.Contains(strings.Join(r.samples(), "\n"), `node="n0"`) })
	var mu sync.Mutex
	asked := map[string]bool{}
	bend := func(_ http.ResponseWriter, req *http.Request) bool {
		if q := req.URL.Query(); strings.HasSuffix(req.URL.Path, "/pods") && q.Get("watch") == "" {
			mu.Lock()
			defer mu.Unlock()
			asked[q.Get("shardSelector")] = true
		}
		return false
	}
	w.bend.Store(&bend)
	r.Follow(plan(0, 3, 2))
	r.waitHolds(plan(0, 3, 2))
	s := plan(0, 3, 2).Shards()
	mu.Lock()
	defer mu.Unlock()
	if want := s.NextOwn.Difference(s.Own).Selector(); len(asked) != 1 || !asked[want] {
		t.Errorf("lists of %v, want %q only", slices.Collect(maps.Keys(asked)), want)
	}
}
