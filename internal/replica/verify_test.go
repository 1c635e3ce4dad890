package replica

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// Results of verifications; see statefleet_consistency_checks_total.
const (
	checkEqual        = "equal"
	checkRepaired     = "repaired"
	checkReset        = "versions_reset"
	checkUnrepairable = "unrepairable"
	checkSkipped      = "skipped"
	checkFailed       = "failed"
)

// checks returns how many verifications of all resources had a result.
func (r *run) checks(result string) float64 {
	r.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "statefleet_consistency_checks_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "result" && l.GetValue() == result {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}

func TestVerifierRepairsLostEvents(t *testing.T) {
	w := newWorld(t)
	for i := range 10 {
		w.pod(i, "n0")
	}
	r := w.startVerified(nil)
	eventually(t, "a verification without differences", func() bool { return r.checks(checkEqual) > 0 })
	if n := r.checks(checkRepaired); n > 0 {
		t.Errorf("got %v repairs without differences, want none", n)
	}

	pods := r.current()[0].store
	pods.Delete(idOf(3)) // as if the event of its creation had been lost
	eventually(t, "the missing pod is restored and counted", func() bool {
		return podsIn(r.samples())[string(uid(3))] && r.value("statefleet_consistency_differences_total", "difference", "missing") > 0
	})
	deleted := store.Object{ID: idOf(77), Hash: shard.Hash(string(uid(77))), Version: 1}
	line := `kube_pod_info{uid="` + string(uid(77)) + `"} 1` + "\n"
	ends := make([]int, len(r.current()[0].Renderer.Families()))
	for i, f := range r.current()[0].Renderer.Families() {
		if f.Name == "kube_pod_info" || i > 0 && ends[i-1] > 0 {
			ends[i] = len(line)
		}
	}
	pods.Put(deleted, &store.Lines{Buf: []byte(line), Ends: ends}) // as if the event of its deletion had been lost

	eventually(t, "the extra pod is removed and counted", func() bool {
		return len(podsIn(r.samples())) == 10 && r.value("statefleet_consistency_differences_total", "difference", "extra") > 0
	})
}

func TestVerifierFindsNoDifferenceUnderChurn(t *testing.T) {
	w := newWorld(t)
	r := w.startVerified(func(o *Options) { o.verify(time.Millisecond, 2*time.Second) })
	for i := range 300 {
		w.pod(i, "n0")
		if i%2 == 0 {
			w.removePod(i)
		}
		time.Sleep(time.Millisecond)
	}
	before := r.checks(checkEqual)
	eventually(t, "a verification after the changes", func() bool { return r.checks(checkEqual) > before })
	if n := r.checks(checkRepaired); n > 0 {
		t.Errorf("got %v repairs, want none: all differences were events in transit", n)
	}
}

// TestUnrepairableDifferenceIsRelistedOnce verifies an object that cannot be rendered: it stays
// missing however often it is listed.
func TestUnrepairableDifferenceIsRelistedOnce(t *testing.T) {
	w := newWorld(t)
	const list = `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"9"},"items":[
		{"metadata":{"name":"good","namespace":"a","uid":"u1","resourceVersion":"5"}},
		{"metadata":{"name":"bad","namespace":"a","uid":"u2","resourceVersion":"6"},"spec":"garbage"}]}`
	w.listsPods(list)
	var log bytes.Buffer
	r := w.startVerified(func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	eventually(t, "an unrepairable difference", func() bool { return r.checks(checkUnrepairable) > 0 })
	repairs := r.checks(checkRepaired)
	before := r.checks(checkUnrepairable)
	eventually(t, "some more verifications", func() bool { return r.checks(checkUnrepairable) > before+3 })
	if now := r.checks(checkRepaired); repairs != 1 || now != repairs {
		t.Errorf("the resource was relisted %v times and then %v times, want once in total", repairs, now-repairs)
	}
	r.stop()
	if n := strings.Count(log.String(), "found the same differences as before"); n != 1 {
		t.Errorf("the log has the differences that stay %d times, want once", n)
	}
}

// TestObjectsBeyondALimitAreNotMissing verifies a kind at its limit: no event was lost.
func TestObjectsBeyondALimitAreNotMissing(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]func(o *Options){
		"objects": func(o *Options) { o.ObjectLimit = 15 },
		"bytes":   func(o *Options) { o.ByteLimit = 10_000 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for i := range 50 {
				w.pod(i, "n0")
			}
			r := w.startVerified(limit)
			eventually(t, "some verifications", func() bool {
				return r.checks(checkEqual) > 3 || r.checks(checkRepaired)+r.checks(checkUnrepairable) > 0
			})
			if n := r.checks(checkRepaired) + r.checks(checkUnrepairable); n > 0 {
				t.Errorf("%v verifications found differences, want none", n)
			}
		})
	}
}

func TestFailedVerificationDoesNotRelist(t *testing.T) {
	w := newWorld(t)
	w.pod(1, "n0")
	r := w.startVerified(nil)
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		return r.URL.Query().Get("limit") != "" && refuse(rw)
	})
	eventually(t, "a failed verification", func() bool { return r.checks(checkFailed) > 0 })
	if n := r.checks(checkRepaired); n > 0 {
		t.Errorf("got %v repairs after failed verifications, want none", n)
	}
	if len(podsIn(r.samples())) != 1 {
		t.Error("the pod was removed")
	}
}

// TestResetVersionsAreDetected restores the API server from a backup, whose versions are older. A
// watch from a version that the backup does not have is silent or fails.
func TestResetVersionsAreDetected(t *testing.T) {
	for name, silent := range map[string]bool{"watches are silent": true, "watches fail": false} {
		t.Run(name, func(t *testing.T) {
			w, backup := newWorld(t), newWorld(t)
			for i := range 5 {
				w.pod(i, "n0")
				backup.pod(i, "n0")
			}
			w.pod(1, "n1")
			w.removePod(2)
			w.pod(7, "n0")
			r := w.startVerified(func(o *Options) { o.Kinds = builtin(t, resources.All()) })
			eventually(t, "the pods before the restore", func() bool {
				on := podsIn(r.samples())
				return len(on) == 5 && on[string(uid(7))]
			})
			w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
				query := r.URL.Query()
				if silent && query.Get("watch") != "" && watch.ParseVersion(query.Get("resourceVersion")) > backup.cluster.ResourceVersion() {
					rw.WriteHeader(http.StatusOK)
					_ = http.NewResponseController(rw).Flush()
					<-r.Context().Done()
					return true
				}
				backup.cluster.Handler().ServeHTTP(rw, r)
				return true
			})
			w.cluster.CloseWatches()
			eventually(t, "the pods of the backup", func() bool {
				on := podsIn(r.samples())
				return len(on) == 5 && on[string(uid(2))] && !on[string(uid(7))] && !r.podsRunOn("n1")
			})
			eventually(t, "the reset is counted", func() bool { return r.checks(checkReset) > 0 })
			backup.pod(1, "n2")
			eventually(t, "an event after the restore", func() bool { return r.podsRunOn("n2") })
		})
	}
}

// TestTombstonesAreClearedAfterReset covers a kind that is listed from the backup before it is
// verified. Then no held object is newer than the API server. Only one tombstone is left from before
// the restore, and the backup has its object.
func TestTombstonesAreClearedAfterReset(t *testing.T) {
	w, backup := newWorld(t), newWorld(t)
	for i := range 5 {
		w.pod(i, "n0")
		backup.pod(i, "n0")
	}
	r := w.startVerified(nil)
	w.removePod(2)
	eventually(t, "four pods", func() bool { return len(podsIn(r.samples())) == 4 })
	var verifying, listed atomic.Bool
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.Header.Get("Accept"), "PartialObjectMetadataList") && !verifying.Load() {
			rw.WriteHeader(http.StatusInternalServerError)
			return true
		}
		if query := r.URL.Query(); query.Has("sendInitialEvents") && query.Get("resourceVersion") == "" {
			listed.Store(true)
		}
		backup.cluster.Handler().ServeHTTP(rw, r)
		return true
	})
	w.cluster.CloseWatches()
	eventually(t, "a list from the backup", listed.Load)
	backup.pod(1, "n1")
	eventually(t, "an event of the backup after its list", func() bool { return r.podsRunOn("n1") })
	verifying.Store(true)
	eventually(t, "the pod that the backup has again", func() bool { return podsIn(r.samples())[string(uid(2))] })
	if r.checks(checkReset) == 0 {
		t.Error("the reset is not counted")
	}
}

// TestResetIsNotLostWhenTheKindIsListedAnyway covers a kind that is listed again for another reason
// before the reset is handled, which ends its verification.
func TestResetIsNotLostWhenTheKindIsListedAnyway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pod(0, "n0")
	r := w.start(podsOnly)
	k := r.current()[0]
	const before = 1 << 60 // a version from before the restore
	k.store.Put(store.Object{ID: idOf(0), Hash: shard.Hash(string(uid(0))), Version: before}, &store.Lines{})
	ended, end := context.WithCancel(t.Context())
	end()
	k.subject.Relist(ended, true)
	r.assign(0, 1)
	r.waitReady()
	eventually(t, "the version that the API server has now", func() bool { return !k.store.HasVersion(idOf(0), before) && len(podsIn(r.samples())) == 1 })
}

// TestSingleStaleListIsNotAReset checks that a reset needs two stale lists.
func TestSingleStaleListIsNotAReset(t *testing.T) {
	w, old := newWorld(t), newWorld(t)
	for i := range 5 {
		w.pod(i, "n0")
	}
	r := w.startVerified(nil)
	var once atomic.Bool
	w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
		stale := r.URL.Query().Get("limit") != "" && once.CompareAndSwap(false, true)
		if stale {
			old.cluster.Handler().ServeHTTP(rw, r)
		}
		return stale
	})
	eventually(t, "a skipped verification", func() bool { return once.Load() && r.checks(checkSkipped) > 0 })
	if n := r.checks(checkReset) + r.checks(checkRepaired); n > 0 || len(podsIn(r.samples())) != 5 {
		t.Errorf("got %v repairs and %d pods, want no repair and 5 pods", n, len(podsIn(r.samples())))
	}
}

// TestListOfAnOlderVersionIsVerifiedSoon covers lists from a stale cache or a restored etcd.
func TestListOfAnOlderVersionIsVerifiedSoon(t *testing.T) {
	for version, soon := range map[string]bool{"": false, "0": false, "899": true, "900": false, "901": false} {
		faketime.Test(t, func(t *testing.T) {
			network := newPipes()
			r := newWorldOn(t, network).start(func(o *Options) {
				podsOnly(o)
				o.Config.Dial = network.dial
				o.verify(24*time.Hour, 0)
			})
			r.assign(0, 1)
			r.waitReady()
			k := r.current()[0]
			(&handler{kind: k, newestList: 900}).Replace(nil, version)
			time.Sleep(time.Hour)
			if verified := r.checks(checkEqual) > 0; verified != soon {
				t.Errorf("list of version %q after one of 900: verified within an hour is %t, want %t", version, verified, soon)
			}
		})
	}
}
