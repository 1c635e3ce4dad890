package replica

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// TestForbiddenKindDoesNotBlockReshard checks that a kind whose list of added ranges is forbidden
// does not block a change of shard. A running watch continues when its permission is revoked, so
// only the addition fails.
func TestForbiddenKindDoesNotBlockReshard(t *testing.T) {
	for name, refused := range map[string]func(watch bool) bool{
		"lists and watches": func(bool) bool { return true },
		"lists":             func(watch bool) bool { return !watch },
	} {
		t.Run(name, func(t *testing.T) {
			w := populatedWorld(t)
			r := w.startUpdated(func(o *Options) { o.ForbiddenGrace = time.Millisecond })
			w.intercept(func(rw http.ResponseWriter, req *http.Request) bool {
				return strings.HasSuffix(req.URL.Path, "/pods") && refused(req.URL.Query().Get("watch") != "") && refuse(rw)
			})
			r.Follow(plan(0, 3, 2))
			r.waitHolds(plan(0, 3, 2))
			r.Follow(plan(0, 2, 2))
			w.intercept(nil)
			r.waitServes(2)
		})
	}
}

// TestResetVersionsDoNotBlockReshard checks that a reset of the API server's versions does not
// block a change of shard: each list of added ranges is stale, and kinds are not verified before
// the change is complete.
func TestResetVersionsDoNotBlockReshard(t *testing.T) {
	w, backup := populatedWorld(t), populatedWorld(t)
	r := w.startUpdated(func(o *Options) { o.verify(100*time.Millisecond, time.Millisecond) })
	w.intercept(func(rw http.ResponseWriter, req *http.Request) bool {
		query := req.URL.Query()
		if query.Get("watch") != "" && watch.ParseVersion(query.Get("resourceVersion")) > backup.cluster.ResourceVersion() {
			rw.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(rw).Flush()
			<-req.Context().Done()
			return true
		}
		backup.cluster.Handler().ServeHTTP(rw, req)
		return true
	})
	w.cluster.CloseWatches()
	r.Follow(plan(0, 3, 2))
	r.waitHolds(plan(0, 3, 2))
	r.Follow(plan(0, 2, 2))
	eventually(t, "the pods of the backup", func() bool { return !r.podsRunOn("n1") })
	r.wantServes(0, 2)
}

// TestStaleListOfAddedRangesBringsNothingBack covers an API server that answers one list with older
// data, before a pod of the added ranges was deleted.
func TestStaleListOfAddedRangesBringsNothingBack(t *testing.T) {
	t.Parallel()
	w, old := populatedWorld(t), populatedWorld(t)
	r := w.startUpdated(func(*Options) {})
	_, owned := leavingAndStaying()
	deleted := 0
	for own := expected(shard.Assignment{Total: 3}, podCount); own[string(uid(deleted))]; {
		deleted++
	}
	w.removePod(deleted)
	w.pod(owned, "n2")
	eventually(t, "an event after the deletion", func() bool { return r.podsRunOn("n2") })
	all := expected(shard.Assignment{Total: 1}, podCount)
	delete(all, string(uid(deleted)))
	var once atomic.Bool
	w.intercept(func(rw http.ResponseWriter, req *http.Request) bool {
		stale := strings.HasSuffix(req.URL.Path, "/pods") && req.URL.Query().Get("limit") != "" && once.CompareAndSwap(false, true)
		if stale {
			old.cluster.Handler().ServeHTTP(rw, req)
		}
		return stale
	})
	r.Follow(plan(0, 1, 1))
	r.waitHolds(plan(0, 1, 1))
	if got := podsIn(r.samples()); !once.Load() || !maps.Equal(got, all) {
		t.Errorf("got %d pods after a stale list, want %d; the deleted one is exposed: %t", len(got), len(all), got[string(uid(deleted))])
	}
}

// TestObjectDeletedDuringAdditionDoesNotComeBack checks that tombstones outlast a list of added
// ranges: all its pages show the same moment, and any number of deletions may arrive before the
// last page.
func TestObjectDeletedDuringAdditionDoesNotComeBack(t *testing.T) {
	w := populatedWorld(t)
	const total = podCount + 4*tombstonesPerGeneration
	for i := podCount; i < total; i++ {
		w.pod(i, "n1")
	}
	r := w.startUpdated(func(*Options) {})
	listed, answer := make(chan struct{}), make(chan struct{})
	w.intercept(func(rw http.ResponseWriter, req *http.Request) bool {
		if q := req.URL.Query(); !strings.HasSuffix(req.URL.Path, "/pods") || q.Get("limit") == "" || q.Get("continue") != "" {
			return false
		}
		page := httptest.NewRecorder()
		w.cluster.Handler().ServeHTTP(page, req)
		close(listed)
		<-answer
		maps.Copy(rw.Header(), page.Header())
		_, _ = rw.Write(page.Body.Bytes())
		return true
	})
	r.Follow(plan(0, 1, 1))
	<-listed
	for i := range total - 1 {
		w.removePod(i)
	}
	w.pod(total, "n2")
	eventually(t, "the events of all deletions", func() bool { return r.podsHeld() <= 2 })
	close(answer)
	r.waitHolds(plan(0, 1, 1))
	if n := r.podsHeld(); n != 2 {
		t.Errorf("the replica holds %d pods, want 2", n)
	}
}

// TestFailingAdditionsAreSpaced checks that lists of added ranges back off while the API server
// fails.
func TestFailingAdditionsAreSpaced(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		network := newPipes()
		w := populatedWorldOn(t, network)
		r := w.startUpdated(func(o *Options) { o.Config.Dial = network.dial })
		time.Sleep(10 * time.Second) // long enough not to count as a short watch
		var lists, watches atomic.Int64
		w.intercept(func(rw http.ResponseWriter, req *http.Request) bool {
			switch q := req.URL.Query(); {
			case !strings.HasSuffix(req.URL.Path, "/pods"):
			case q.Get("watch") != "":
				watches.Add(1)
			case q.Get("limit") != "":
				lists.Add(1)
				http.Error(rw, "overloaded", http.StatusInternalServerError)
				return true
			}
			return false
		})
		r.Follow(plan(0, 3, 2))
		time.Sleep(time.Minute)
		l, o := lists.Load(), watches.Load()
		if l < 4 || l > 6 || o > 7 {
			t.Errorf("got %d lists and %d watches in the first minute, want 4 to 6 lists and 7 watches at most", l, o)
		}
		time.Sleep(10 * time.Minute)
		l, o = lists.Load()-l, watches.Load()-o
		if l < 10 || l > 21 || o > 23 {
			t.Errorf("got %d lists and %d watches in ten minutes, want 10 to 21 lists and 23 watches at most", l, o)
		}
		w.intercept(nil)
		time.Sleep(time.Minute)
		if !r.Holds(plan(0, 3, 2)).All {
			t.Error("added ranges are not held a minute after the API server has recovered")
		}
	})
}

// TestKindIsRelistedAfterTooManyDeletions checks that objects that were deleted during a list of
// added ranges do not come back, although their tombstones are gone.
func TestKindIsRelistedAfterTooManyDeletions(t *testing.T) {
	w := populatedWorld(t)
	r := w.startUpdated(func(*Options) {})
	listed, answer := make(chan struct{}), make(chan struct{})
	hold := sync.OnceFunc(func() { close(listed); <-answer })
	var relisted atomic.Bool
	w.intercept(func(rw http.ResponseWriter, req *http.Request) bool {
		q := req.URL.Query()
		relisted.Store(relisted.Load() || strings.HasSuffix(req.URL.Path, "/pods") && q.Get("sendInitialEvents") != "")
		if !strings.HasSuffix(req.URL.Path, "/pods") || q.Get("limit") == "" {
			return false
		}
		page := httptest.NewRecorder()
		w.cluster.Handler().ServeHTTP(page, req)
		hold()
		maps.Copy(rw.Header(), page.Header())
		_, _ = rw.Write(page.Body.Bytes())
		return true
	})
	r.Follow(plan(0, 1, 1))
	<-listed
	for i := range podCount - 1 {
		w.removePod(i)
	}
	eventually(t, "the deletions", func() bool { return r.podsHeld() <= 1 })
	for _, k := range r.current() {
		for i := range 2*maxTombstones + 1 { // of other objects, so that those of the pods are forgotten
			k.tombstones.add(store.Version{ID: store.ID{byte(i), byte(i >> 8), byte(i >> 16)}, Version: 1})
		}
	}
	close(answer)
	r.waitHolds(plan(0, 1, 1))
	if n := r.podsHeld(); n != 1 || !relisted.Load() {
		t.Errorf("the replica holds %d pods, want 1; relisted is %t, want true", n, relisted.Load())
	}
}
