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

// failPods makes the API server answer requests for pods with 500 if broken returns true, as it
// does while the conversion webhook of a custom resource fails.
func (w *world) failPods(broken func(*http.Request) bool) {
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/pods") || !broken(r) {
			return false
		}
		http.Error(rw, "conversion webhook failed", http.StatusInternalServerError)
		return true
	})
}

// servePodsPartly makes the API server answer only the first page of a list of pods, and no watch.
func (w *world) servePodsPartly() {
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
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
		return w.asFirstVersion(rw, page)
	})
}

// asFirstVersion answers a request for a resource in version v2 with that in version v1.
func (w *world) asFirstVersion(rw http.ResponseWriter, r *http.Request) bool {
	r = r.Clone(r.Context())
	r.URL.Path = strings.Replace(r.URL.Path, "/v2/", "/v1/", 1)
	w.cluster.Handler().ServeHTTP(rw, r)
	return true
}

func anyRequest(*http.Request) bool { return true }

// graceWorld starts replicas in simulated time, for which pods are a custom resource.
func graceWorld(t *testing.T) (w *world, start func(change func(*Options)) *run) {
	network := newPipes()
	w = populatedWorldOn(t, network)
	return w, func(change func(*Options)) *run {
		return w.start(func(o *Options) {
			o.Config.Dial = network.dial
			o.CustomGrace = time.Minute
			o.only("pods", "nodes", "jobs")
			for i := range o.Kinds {
				o.Kinds[i].Custom = o.Kinds[i].Name == "pods"
			}
			if change != nil {
				change(o)
			}
		})
	}
}

func (r *run) podsOverdue() float64 {
	return r.value("statefleet_custom_resource_overdue", "resource", "pods")
}

// TestBrokenCustomResourceDoesNotBlockReadiness checks that an overdue kind does not block
// readiness, and becomes visible all at once when it is listed.
func TestBrokenCustomResourceDoesNotBlockReadiness(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		w, start := graceWorld(t)
		w.servePodsPartly()
		r := start(nil)
		r.assign(0, 1)
		time.Sleep(50 * time.Second)
		if err := r.Ready(); err == nil || !strings.Contains(err.Error(), "pods (waits for 10s at most)") {
			t.Errorf("after 50 seconds, Ready returned %v, want an error that pods wait for 10s at most", err)
		}
		if r.podsOverdue() != 0 {
			t.Error("pods are overdue within the grace period")
		}
		time.Sleep(11 * time.Second)
		if err := r.Ready(); err != nil || r.podsOverdue() != 1 {
			t.Fatalf("after the grace period, Ready returned %v and overdue is %v, want nil and 1", err, r.podsOverdue())
		}
		r.wantPods("after the first page", 0, 100)
		if !r.Holds(shard.Uncoordinated(shard.Assignment{Total: 1})).All {
			t.Error("the plan does not count as held")
		}
		w.intercept(nil)
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			if n := len(podsIn(r.samples())); n != 0 && n != podCount {
				t.Fatalf("%d pods are visible, want none or %d", n, podCount)
			}
		}
		r.wantServes(0, 1)
		if r.podsOverdue() != 0 {
			t.Error("pods are overdue although they are listed")
		}
	})
}

// TestOnlyCustomResourcesHaveAGracePeriod checks that the replica does not become ready without a
// built-in kind, nor without any kind.
func TestOnlyCustomResourcesHaveAGracePeriod(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"built-in":           func(o *Options) { o.Kinds = builtinCopy(o.Kinds) },
		"no grace period":    func(o *Options) { o.CustomGrace = 0 },
		"nothing was listed": func(o *Options) { o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return !k.Custom }) },
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				w, start := graceWorld(t)
				w.failPods(anyRequest)
				r := start(change)
				r.assign(0, 1)
				time.Sleep(3 * time.Minute)
				if r.Ready() == nil || r.Holds(shard.Uncoordinated(shard.Assignment{Total: 1})).All {
					t.Error("ready without the kind")
				}
				w.intercept(nil)
				time.Sleep(15 * time.Second) // the longest pause between two requests
				r.waitReady()
				r.wantServes(0, 1)
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

// TestBrokenCustomResourceDoesNotBlockReshard checks that after the switch the exposition has those
// objects of the new shard that the replica held before, and the others once they are listed.
func TestBrokenCustomResourceDoesNotBlockReshard(t *testing.T) {
	for name, broken := range map[string]func(*http.Request) bool{
		"lists":             func(r *http.Request) bool { return r.URL.Query().Get("limit") != "" },
		"lists and watches": anyRequest,
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				w, start := graceWorld(t)
				r := start(nil)
				r.Follow(plan(0, 3, 3))
				r.waitReady()
				for i := range podCount {
					w.pod(i, "n1")
				}
				time.Sleep(10 * time.Second)
				w.failPods(broken)
				w.cluster.CloseWatches()
				r.Follow(plan(0, 3, 2))
				time.Sleep(58 * time.Second)
				if r.Holds(plan(0, 3, 2)).All {
					t.Error("the plan counts as held within the grace period")
				}
				r.wantServes(0, 3)
				time.Sleep(3 * time.Second)
				if !r.Holds(plan(0, 3, 2)).All {
					t.Error("the plan does not count as held after the grace period")
				}
				r.wantServes(0, 3)
				r.Follow(plan(0, 2, 2))
				time.Sleep(time.Second)
				stays := expected(shard.Assignment{Ordinal: 0, Total: 3}, podCount)
				next := expected(shard.Assignment{Ordinal: 0, Total: 2}, podCount)
				maps.DeleteFunc(stays, func(uid string, _ bool) bool { return !next[uid] })
				if got := podsIn(r.samples()); !maps.Equal(got, stays) || len(stays) == len(next) {
					t.Errorf("%d pods are visible, want the %d of %d that the replica held before", len(got), len(stays), len(next))
				}
				if r.podsOverdue() != 1 {
					t.Error("statefleet_custom_resource_overdue is not 1")
				}
				w.intercept(nil)
				time.Sleep(time.Minute)
				r.wantServes(0, 2)
				if r.podsOverdue() != 0 {
					t.Error("pods are overdue although they are listed")
				}
			})
		})
	}
}

// TestGracePeriodRestartsOnceTheKindWasComplete checks that a kind gets another grace period at a
// later change of shard only if it was complete meanwhile.
func TestGracePeriodRestartsOnceTheKindWasComplete(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		w, start := graceWorld(t)
		r := start(nil)
		r.Follow(plan(0, 4, 4))
		r.waitReady()
		lists := func(r *http.Request) bool {
			return r.URL.Query().Get("limit") != "" || r.URL.Query().Get("sendInitialEvents") != ""
		}
		w.failPods(lists)
		r.Follow(plan(0, 4, 3))
		time.Sleep(61 * time.Second)
		r.Follow(plan(0, 3, 2))
		time.Sleep(10 * time.Second)
		if !r.Holds(plan(0, 3, 2)).All {
			t.Error("the kind got another grace period although it was not complete meanwhile")
		}
		w.intercept(nil)
		time.Sleep(time.Minute)
		r.Follow(plan(0, 2, 2))
		time.Sleep(time.Second)
		r.wantServes(0, 2)
		w.failPods(lists)
		r.Follow(plan(0, 2, 1))
		time.Sleep(50 * time.Second)
		if r.Holds(plan(0, 2, 1)).All {
			t.Error("the kind got no other grace period although it was complete meanwhile")
		}
	})
}

// TestGracePeriodRestartsAfterIdle checks a replica that gets a shard again after it had none: it
// waits for a broken kind as at its start. Then either the whole kind is visible or nothing of it.
func TestGracePeriodRestartsAfterIdle(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		w, start := graceWorld(t)
		r := start(nil)
		r.Follow(plan(2, 5, 5))
		r.waitReady()
		w.servePodsPartly()
		r.Follow(plan(2, 5, 4))
		time.Sleep(61 * time.Second)
		if !r.Holds(plan(2, 5, 4)).All || r.podsOverdue() != 1 {
			t.Error("the plan does not count as held after the grace period")
		}
		r.Follow(plan(2, 2, 2))
		time.Sleep(5 * time.Minute)
		if r.podsOverdue() != 0 {
			t.Error("pods are overdue although the replica is idle")
		}
		r.Follow(plan(2, 2, 3))
		time.Sleep(55 * time.Second)
		if r.Holds(plan(2, 2, 3)).All {
			t.Error("the plan counts as held within the grace period")
		}
		time.Sleep(10 * time.Second)
		r.Follow(plan(2, 3, 3))
		r.waitReady()
		if held, visible := r.podsHeld(), len(podsIn(r.samples())); held == 0 || visible != 0 {
			t.Errorf("%d pods are held and %d visible, want those of the first page held and none visible", held, visible)
		}
		all := len(expected(shard.Assignment{Ordinal: 2, Total: 3}, podCount))
		w.intercept(nil)
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			if n := len(podsIn(r.samples())); n != 0 && n != all {
				t.Fatalf("%d pods are visible, want none or %d", n, all)
			}
		}
		r.wantServes(2, 3)
	})
}

// TestKindThatIsRefusedAtFirstBecomesVisibleAtOnce covers a kind that the API server forbids at the
// start, and a custom resource in a new version, which the API server does not have at first. When it
// can be listed, nothing of it is visible before the list is complete.
func TestKindThatIsRefusedAtFirstBecomesVisibleAtOnce(t *testing.T) {
	for name, changesVersion := range map[string]bool{"forbidden": false, "new version": true} {
		t.Run(name, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				w, start := graceWorld(t)
				var kinds []Kind
				r := start(func(o *Options) { kinds = o.Kinds })
				if changesVersion {
					r.assign(0, 1)
					r.waitReady()
					kinds = slices.Clone(kinds)
					for i := range kinds {
						if kinds[i].Name == "pods" {
							kinds[i].Resource.Version = "v2"
						}
					}
					r.SetKinds(kinds) // the API server answers 404
				} else {
					w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
						return strings.HasSuffix(r.URL.Path, "/pods") && refuse(rw)
					})
					r.assign(0, 1)
				}
				time.Sleep(15 * time.Second)
				if err := r.Ready(); err != nil {
					t.Fatal(err)
				}
				w.servePodsPartly()
				time.Sleep(15 * time.Second)
				r.wantPods("after the first page", 0, 100)
				w.intercept(w.asFirstVersion)
				for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
					if n := len(podsIn(r.samples())); n != 0 && n != podCount {
						t.Fatalf("%d pods are visible, want none or %d", n, podCount)
					}
				}
				r.wantServes(0, 1)
			})
		})
	}
}

// TestReadinessErrorNamesForbiddenKinds checks that the error also says how much of the grace period
// is left.
func TestReadinessErrorNamesForbiddenKinds(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		w, start := graceWorld(t)
		var kinds string
		w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
			return strings.HasSuffix(r.URL.Path, kinds) && refuse(rw)
		})
		r := start(nil)
		r.assign(0, 1)
		time.Sleep(11 * time.Second)
		if err := fmt.Sprint(r.Ready()); !strings.Contains(err, "nodes (forbidden)") || !strings.Contains(err, "jobs (forbidden)") {
			t.Errorf("while all kinds are forbidden, Ready returned %q, want nodes and jobs named", err)
		}
		kinds = "/jobs"
		r = start(nil)
		r.assign(0, 1)
		time.Sleep(4 * time.Second)
		if err := fmt.Sprint(r.Ready()); !strings.Contains(err, "jobs (forbidden; waits for 6s at most)") {
			t.Errorf("while one kind is forbidden, Ready returned %q, want a wait of 6s at most for jobs", err)
		}
		time.Sleep(7 * time.Second)
		if err := r.Ready(); err != nil {
			t.Error(err)
		}
	})
}
