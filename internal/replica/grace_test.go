package replica

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/shard"
)

// brokenPods has the API server answer 500 to what is asked of pods, as it does while the
// conversion webhook of a custom resource fails.
func (w *world) brokenPods(asked func(*http.Request) bool) {
	bend := func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/pods") || !asked(r) {
			return false
		}
		http.Error(rw, "conversion webhook failed", http.StatusInternalServerError)
		return true
	}
	w.bend.Store(&bend)
}

// halfPods has the API server answer only the first page of a list of pods, and no watch.
func (w *world) halfPods() {
	bend := func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/pods") {
			return false
		}
		q := r.URL.Query()
		if q.Get("watch") != "" || q.Get("continue") != "" {
			http.Error(rw, "conversion webhook failed", http.StatusInternalServerError)
			return true
		}
		q.Set("limit", "100")
		page := r.Clone(r.Context())
		page.URL.RawQuery = q.Encode()
		w.cluster.Handler().ServeHTTP(rw, page)
		return true
	}
	w.bend.Store(&bend)
}

func anyRequest(*http.Request) bool { return true }

// graceWorld starts replicas in simulated time that take pods for custom resources.
func graceWorld(t *testing.T) (w *world, start func(change func(*Options)) *run) {
	network := newPipes()
	w = plannedWorldOn(t, network)
	return w, func(change func(*Options)) *run {
		return w.start(func(o *Options) {
			o.Config.Dial = network.dial
			o.CustomGrace = time.Minute
			o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return k.Name != "pods" && k.Name != "nodes" && k.Name != "jobs" })
			for i := range o.Kinds {
				o.Kinds[i].Custom = o.Kinds[i].Name == "pods"
			}
			if change != nil {
				change(o)
			}
		})
	}
}

func (r *run) overduePods() float64 {
	return r.value("statefleet_custom_resource_overdue", "resource", "pods")
}

// TestBrokenCustomResourceDoesNotKeepAReplicaFromServing: it is on the page once it is listed, as a whole.
func TestBrokenCustomResourceDoesNotKeepAReplicaFromServing(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		w, start := graceWorld(t)
		w.halfPods()
		r := start(nil)
		r.assign(0, 1)
		time.Sleep(50 * time.Second)
		if err := r.Ready(); err == nil || !strings.Contains(err.Error(), "pods (waits for 10s at most)") {
			t.Errorf("after 50 seconds: %v", err)
		}
		if r.overduePods() != 0 {
			t.Error("overdue within the grace period")
		}
		time.Sleep(11 * time.Second)
		if err := r.Ready(); err != nil || r.overduePods() != 1 {
			t.Fatalf("after the grace period: %v, overdue %v", err, r.overduePods())
		}
		if held, shown := r.podsHeld(), len(podsOn(r.samples())); held != 100 || shown != 0 {
			t.Errorf("%d pods of the first page are held, %d are on the page", held, shown)
		}
		if !r.Holds(shard.Uncoordinated(shard.Assignment{Total: 1})).All {
			t.Error("the fleet waits for it")
		}
		w.bend.Store(nil)
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			if n := len(podsOn(r.samples())); n != 0 && n != planned {
				t.Fatalf("%d pods of %d are on the page", n, planned)
			}
		}
		r.serves(0, 1)
		if r.overduePods() != 0 {
			t.Error("overdue, though it is listed")
		}
	})
}

// TestOnlyCustomResourcesHaveAGracePeriod: a page without the objects of a built-in kind is not served, nor is one with
// nothing.
func TestOnlyCustomResourcesHaveAGracePeriod(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"built-in":           func(o *Options) { o.Kinds = builtinCopy(o.Kinds) },
		"no grace period":    func(o *Options) { o.CustomGrace = 0 },
		"nothing was listed": func(o *Options) { o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return !k.Custom }) },
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				w, start := graceWorld(t)
				w.brokenPods(anyRequest)
				r := start(change)
				r.assign(0, 1)
				time.Sleep(3 * time.Minute)
				if r.Ready() == nil || r.Holds(shard.Uncoordinated(shard.Assignment{Total: 1})).All {
					t.Error("ready without the kind")
				}
				w.bend.Store(nil)
				time.Sleep(15 * time.Second) // the longest pause between two requests
				r.waitReady()
				r.serves(0, 1)
			})
		})
	}
}

func builtinCopy(kinds []Kind) []Kind {
	kinds = slices.Clone(kinds)
	for i := range kinds {
		kinds[i].Custom = false
	}
	return kinds
}

// TestBrokenCustomResourceDoesNotHoldAChangeOfShardUp: after the switch the page has what the replica held of its shard
// before, which is no other replica's any more, and the rest once it is listed.
func TestBrokenCustomResourceDoesNotHoldAChangeOfShardUp(t *testing.T) {
	for name, asked := range map[string]func(*http.Request) bool{
		"lists":             func(r *http.Request) bool { return r.URL.Query().Get("limit") != "" },
		"lists and watches": anyRequest,
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				w, start := graceWorld(t)
				r := start(nil)
				r.Follow(plan(0, 3, 3))
				r.waitReady()
				for i := range planned {
					w.pod(i, "n1")
				}
				time.Sleep(10 * time.Second)
				w.brokenPods(asked)
				w.cluster.CloseWatches()
				r.Follow(plan(0, 3, 2))
				time.Sleep(58 * time.Second)
				if r.Holds(plan(0, 3, 2)).All {
					t.Error("the fleet does not wait for the custom resource within the grace period")
				}
				r.serves(0, 3)
				time.Sleep(3 * time.Second)
				if !r.Holds(plan(0, 3, 2)).All {
					t.Error("the fleet waits for the custom resource after the grace period")
				}
				r.serves(0, 3)
				r.Follow(plan(0, 2, 2))
				time.Sleep(time.Second)
				stays := expected(shard.Assignment{Ordinal: 0, Total: 3}, planned)
				next := expected(shard.Assignment{Ordinal: 0, Total: 2}, planned)
				maps.DeleteFunc(stays, func(uid string, _ bool) bool { return !next[uid] })
				if got := podsOn(r.samples()); !maps.Equal(got, stays) || len(stays) == len(next) {
					t.Errorf("%d pods are on the page, want the %d of %d that the replica had", len(got), len(stays), len(next))
				}
				if r.overduePods() != 1 {
					t.Error("no self-metric says that the custom resource is overdue")
				}
				w.bend.Store(nil)
				time.Sleep(time.Minute)
				r.serves(0, 2)
				if r.overduePods() != 0 {
					t.Error("overdue, though it is listed")
				}
			})
		})
	}
}

// TestCustomResourceThatWasOverdueIsWaitedForAgain: a later change of shard gives it another grace period, but not
// before it was complete.
func TestCustomResourceThatWasOverdueIsWaitedForAgain(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		w, start := graceWorld(t)
		r := start(nil)
		r.Follow(plan(0, 4, 4))
		r.waitReady()
		lists := func(r *http.Request) bool {
			return r.URL.Query().Get("limit") != "" || r.URL.Query().Get("sendInitialEvents") != ""
		}
		w.brokenPods(lists)
		r.Follow(plan(0, 4, 3))
		time.Sleep(61 * time.Second)
		r.Follow(plan(0, 3, 2))
		time.Sleep(10 * time.Second)
		if !r.Holds(plan(0, 3, 2)).All {
			t.Error("it has another grace period, though it was not complete since")
		}
		w.bend.Store(nil)
		time.Sleep(time.Minute)
		r.Follow(plan(0, 2, 2))
		time.Sleep(time.Second)
		r.serves(0, 2)
		w.brokenPods(lists)
		r.Follow(plan(0, 2, 1))
		time.Sleep(50 * time.Second)
		if r.Holds(plan(0, 2, 1)).All {
			t.Error("it is not waited for, though it was complete")
		}
	})
}

// TestReplicaThatOwnedNothingWaitsForABrokenCustomResourceAsAtItsStart: whatever was before, it shows all of the kind or
// nothing.
func TestReplicaThatOwnedNothingWaitsForABrokenCustomResourceAsAtItsStart(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		w, start := graceWorld(t)
		r := start(nil)
		r.Follow(plan(2, 5, 5))
		r.waitReady()
		w.halfPods()
		r.Follow(plan(2, 5, 4))
		time.Sleep(61 * time.Second)
		if !r.Holds(plan(2, 5, 4)).All || r.overduePods() != 1 {
			t.Error("it is waited for after the grace period")
		}
		r.Follow(plan(2, 2, 2))
		time.Sleep(5 * time.Minute)
		if r.overduePods() != 0 {
			t.Error("overdue, though nothing is asked for")
		}
		r.Follow(plan(2, 2, 3))
		time.Sleep(55 * time.Second)
		if r.Holds(plan(2, 2, 3)).All {
			t.Error("the fleet does not wait within the grace period")
		}
		time.Sleep(10 * time.Second)
		r.Follow(plan(2, 3, 3))
		r.waitReady()
		if held, shown := r.podsHeld(), len(podsOn(r.samples())); held == 0 || shown != 0 {
			t.Errorf("%d pods of the first page are held, %d are on the page", held, shown)
		}
		all := len(expected(shard.Assignment{Ordinal: 2, Total: 3}, planned))
		w.bend.Store(nil)
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			if n := len(podsOn(r.samples())); n != 0 && n != all {
				t.Fatalf("%d pods of %d are on the page", n, all)
			}
		}
		r.serves(2, 3)
	})
}

// TestReadinessTellsWhatIsForbidden and for how much longer that is waited for.
func TestReadinessTellsWhatIsForbidden(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		w, start := graceWorld(t)
		var kinds string
		bend := func(rw http.ResponseWriter, r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, kinds) && refuse(rw)
		}
		w.bend.Store(&bend)
		r := start(nil)
		r.assign(0, 1)
		time.Sleep(11 * time.Second)
		if err := fmt.Sprint(r.Ready()); !strings.Contains(err, "nodes (forbidden)") || !strings.Contains(err, "jobs (forbidden)") {
			t.Errorf("while all is forbidden: %s", err)
		}
		kinds = "/jobs"
		r = start(nil)
		r.assign(0, 1)
		time.Sleep(4 * time.Second)
		if err := fmt.Sprint(r.Ready()); !strings.Contains(err, "jobs (forbidden; waits for 6s at most)") {
			t.Errorf("while one kind is forbidden: %s", err)
		}
		time.Sleep(7 * time.Second)
		if err := r.Ready(); err != nil {
			t.Error(err)
		}
	})
}
