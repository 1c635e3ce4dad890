package replica

import (
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/statefleet/statefleet/shard"
)

// heldRecorder records what a replica holds at each call of HoldsChanged.
type heldRecorder struct {
	mu    sync.Mutex
	held  []shard.Held
	share []float64 // of the hash ring
	early int       // calls with everything held and nothing served
}

// startRecording starts a replica with a plan, and records what it holds.
func (w *world) startRecording(p shard.Plan) (*run, *heldRecorder) {
	var r *run
	recorded := new(heldRecorder)
	started := make(chan struct{})
	r = w.start(func(o *Options) {
		o.HoldsChanged = func() {
			<-started
			held := r.Holds(p)
			recorded.mu.Lock()
			defer recorded.mu.Unlock()
			recorded.held = append(recorded.held, held)
			recorded.share = append(recorded.share, r.Overview().Held.Fraction())
			if held.All && len(p.Shards().Own) > 0 && !p.TargetOnly && r.Serves() != nil {
				recorded.early++
			}
		}
	})
	close(started)
	r.Follow(p)
	return r, recorded
}

func near(a, b float64) bool { return math.Abs(a-b) < 0.001 }

// TestStartingReplicaLoadsItsTargetPartFirst starts a replica while the fleet grows from 3 to 6. It
// must report its sixth as held before it loads its third, for which it may lack memory.
func TestStartingReplicaLoadsItsTargetPartFirst(t *testing.T) {
	r, recorded := populatedWorld(t).startRecording(plan(0, 3, 6))
	r.waitHolds(plan(0, 3, 6))
	r.waitReady()
	r.wantServes(0, 3)
	recorded.mu.Lock()
	defer recorded.mu.Unlock()
	if len(recorded.held) < 2 || recorded.held[0] != (shard.Held{Target: true}) || !near(recorded.share[0], 1./6) && !near(recorded.share[0], 1./3) {
		t.Fatalf("recorded %+v with shares %v, want first the target part only, with a sixth or a third", recorded.held, recorded.share)
	}
	if last := len(recorded.held) - 1; recorded.held[last] != (shard.Held{Target: true, All: true}) || !near(recorded.share[last], 1./3) {
		t.Errorf("recorded %+v with shares %v, want at last everything, with a third", recorded.held, recorded.share)
	}
}

// TestTargetOnlyReplicaServesAfterTheSwitch checks a replica that lacks memory for its third: it
// serves nothing until the fleet has grown.
func TestTargetOnlyReplicaServesAfterTheSwitch(t *testing.T) {
	limited := plan(0, 3, 6)
	limited.TargetOnly = true
	r, recorded := populatedWorld(t).startRecording(limited)
	r.waitHolds(limited)
	if r.Serves() == nil || r.Ready() == nil {
		t.Error("the replica serves its sixth in place of its third")
	}
	if share := r.Overview().Held.Fraction(); !near(share, 1./6) {
		t.Errorf("the held share is %.3f, want a sixth", share)
	}
	r.Follow(plan(0, 6, 6))
	r.waitReady()
	r.wantServes(0, 6)
	recorded.mu.Lock()
	for _, share := range recorded.share {
		if share > 0.2 {
			t.Errorf("the held share was %.3f, want a sixth at most", share)
		}
	}
	recorded.mu.Unlock()
}

// TestTargetOnlyReplicaIsNotReadyWithStandby checks that a replica without its third is not ready,
// even while a standby serves it: if its pod became ready, the standby would stop.
func TestTargetOnlyReplicaIsNotReadyWithStandby(t *testing.T) {
	limited := plan(0, 3, 6)
	limited.TargetOnly, limited.Standby, limited.ServedByStandby = true, true, true
	r := populatedWorld(t).start(nil)
	r.Follow(limited)
	r.waitHolds(limited)
	if r.Ready() == nil {
		t.Error("the replica is ready without its third")
	}
	limited.TargetOnly = false
	r.Follow(limited)
	r.waitReady()
	if r.Serves() == nil {
		t.Error("the replica serves although a standby serves its shard")
	}
}

// TestSecondGrowthKeepsHeldObjects checks a new replica for which the next change begins right
// after the switch, before it has served.
func TestSecondGrowthKeepsHeldObjects(t *testing.T) {
	r := populatedWorld(t).start(nil)
	r.Follow(plan(2, 2, 3))
	r.waitHolds(plan(2, 2, 3))
	rendered := r.rendered()
	r.Follow(plan(2, 3, 5))
	r.waitHolds(plan(2, 3, 5))
	r.waitReady()
	r.wantServes(2, 3)
	if again := r.rendered(); again != rendered {
		t.Errorf("%v objects were rendered again, want none", again-rendered)
	}
}

// TestNewReplicaServesBeforeItHoldsTheNextTarget checks a new replica that receives the switch
// together with the next change: the others rely on it from the switch on.
func TestNewReplicaServesBeforeItHoldsTheNextTarget(t *testing.T) {
	for name, with := range map[string]bool{"without standby": false, "with standby": true} {
		t.Run(name, func(t *testing.T) {
			w := populatedWorld(t)
			r := w.start(nil)
			growing, shrinking := plan(1, 1, 3), plan(1, 3, 2)
			growing.Standby, shrinking.Standby = with, with
			r.Follow(growing)
			r.waitHolds(growing)
			w.intercept(func(rw http.ResponseWriter, _ *http.Request) bool {
				http.Error(rw, "overloaded", http.StatusInternalServerError)
				return true
			})
			r.Follow(shrinking)
			r.waitReady()
			r.wantServes(1, 3)
			if r.Holds(shrinking).Target {
				t.Error("the replica holds its part of the next target, want none before it is listed")
			}
		})
	}
}

// TestHoldsChangedIsCalledOnceServing checks that the replica serves when it reports everything as
// held: the receiver may replace another replica with it at that moment.
func TestHoldsChangedIsCalledOnceServing(t *testing.T) {
	w := populatedWorld(t)
	for range 5 {
		p := shard.Uncoordinated(shard.Assignment{Total: 1})
		r, recorded := w.startRecording(p)
		r.waitHolds(p)
		eventually(t, "a call of HoldsChanged", func() bool { recorded.mu.Lock(); defer recorded.mu.Unlock(); return len(recorded.held) > 0 })
		recorded.mu.Lock()
		if recorded.early > 0 {
			t.Error("nothing was served although everything was held")
		}
		recorded.mu.Unlock()
		r.stop()
	}
}

func TestTargetPartIsHeldOnceItIsListed(t *testing.T) {
	t.Parallel()
	w := populatedWorld(t)
	asked, answer := make(chan struct{}, 100), make(chan struct{})
	w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		asked <- struct{}{}
		select {
		case <-answer:
		case <-r.Context().Done():
		}
		return false
	})
	r := w.start(podsOnly)
	growing := plan(0, 3, 6)
	r.Follow(growing)
	<-asked
	eventually(t, "a published status", func() bool { return strings.HasPrefix(r.Ready().Error(), "not synced yet") })
	if held := r.Holds(growing); held.Target || held.All {
		t.Errorf("Holds returned %+v before anything was listed, want nothing held", held)
	}
	close(answer)
	r.waitHolds(growing)
	if !r.Holds(growing).Target {
		t.Error("Holds returned All without Target")
	}
}

// leavingAndStaying returns two pods of shard 0 of 3: one that shard 0 of 6 does not have, and one
// that it has.
func leavingAndStaying() (leaving, staying int) {
	third, sixth := expected(shard.Assignment{Total: 3}, podCount), expected(shard.Assignment{Total: 6}, podCount)
	for i := range podCount {
		switch id := string(uid(i)); {
		case sixth[id]:
			staying = i
		case third[id]:
			leaving = i
		}
	}
	return leaving, staying
}

// wantThirdWithout fails the test unless the exposition has exactly the pods of shard 0 of 3 without
// some that were deleted.
func (r *run) wantThirdWithout(deleted ...int) {
	r.t.Helper()
	want := expected(shard.Assignment{Total: 3}, podCount)
	for _, i := range deleted {
		delete(want, string(uid(i)))
	}
	if got := podsIn(r.samples()); !maps.Equal(got, want) {
		r.t.Errorf("exposition has %d pods, want %d; deleted pods %v must not be among them", len(got), len(want), deleted)
	}
}

// TestRangesLeftDuringStartAreListedAgain covers a fleet that begins to grow while a replica starts.
// The replica has listed its third of the pods, and now holds a sixth first. It does not notice
// deletions in the other sixth until it adds that again.
func TestRangesLeftDuringStartAreListedAgain(t *testing.T) {
	t.Parallel()
	w := populatedWorld(t)
	answer := make(chan struct{})
	w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/nodes") {
			select {
			case <-answer:
			case <-r.Context().Done():
			}
		}
		return false
	})
	r := w.start(func(o *Options) { o.only("pods", "nodes") })
	r.Follow(plan(0, 3, 3))
	pods := r.current()[slices.IndexFunc(r.current(), func(k *kind) bool { return k.Name == "pods" })]
	eventually(t, "the pods are listed", func() bool { return pods.complete() })
	r.Follow(plan(0, 3, 6))
	eventually(t, "a sixth is held", func() bool { return near(r.Overview().Held.Fraction(), 1./6) })
	leaving, staying := leavingAndStaying()
	w.removePod(leaving)
	w.removePod(staying)
	eventually(t, "the deletion of a pod that is held", func() bool { return !pods.store.Contains(idOf(staying)) })
	close(answer)
	r.waitReady()
	r.wantThirdWithout(leaving, staying)
}

// TestSavedStateIsUsedForTheTargetPartOnly starts a replica with the state of its third while the
// fleet grows. It resumes with its sixth, and lists the other one.
func TestSavedStateIsUsedForTheTargetPartOnly(t *testing.T) {
	t.Parallel()
	w, d := populatedWorld(t), newStateDir(t)
	before := w.start(podsOnly)
	before.Follow(plan(0, 3, 3))
	before.waitReady()
	after := d.restart(w, before, podsOnly)
	leaving, staying := leavingAndStaying()
	w.removePod(leaving)
	w.removePod(staying)
	after.Follow(plan(0, 3, 6))
	after.waitReady()
	if !d.loaded() {
		t.Error("the state was not loaded")
	}
	after.wantThirdWithout(leaving, staying)
}
