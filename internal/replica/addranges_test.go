package replica

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/wire"
)

// follower starts a replica with one of three shards of the pods, whose watch has brought
// something.
func (w *world) follower(change func(*Options)) *run {
	w.t.Helper()
	r := w.start(func(o *Options) {
		o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return k.Name != "pods" && k.Name != "nodes" })
		change(o)
	})
	r.Follow(plan(0, 3, 3))
	r.waitReady()
	for i := range planned {
		w.pod(i, "n1")
	}
	eventually(w.t, "updates", func() bool { return !strings.Contains(strings.Join(r.samples(), "\n"), `node="n0"`) })
	return r
}

// TestKindThatIsRefusedDoesNotHoldAChangeUp: a watch goes on when the right to it is taken away, until the addition needs
// another one.
func TestKindThatIsRefusedDoesNotHoldAChangeUp(t *testing.T) {
	for name, refused := range map[string]func(watch bool) bool{
		"lists and watches": func(bool) bool { return true },
		"lists":             func(watch bool) bool { return !watch },
	} {
		t.Run(name, func(t *testing.T) {
			w := plannedWorld(t)
			r := w.follower(func(o *Options) { o.ForbiddenGrace = time.Millisecond })
			bend := func(rw http.ResponseWriter, req *http.Request) bool {
				return strings.HasSuffix(req.URL.Path, "/pods") && refused(req.URL.Query().Get("watch") != "") && refuse(rw)
			}
			w.bend.Store(&bend)
			r.Follow(plan(0, 3, 2))
			r.waitHolds(plan(0, 3, 2))
			r.Follow(plan(0, 2, 2))
			w.bend.Store(nil)
			r.waitServes(2)
		})
	}
}

// TestVersionsThatGoBackDoNotHoldAChangeUp: the list of added ranges is older than what is known, as often as it is
// asked for, and nothing is checked before the change has come to an end.
func TestVersionsThatGoBackDoNotHoldAChangeUp(t *testing.T) {
	w, backup := plannedWorld(t), plannedWorld(t)
	r := w.follower(func(o *Options) { o.verify(100*time.Millisecond, time.Millisecond) })
	bend := func(rw http.ResponseWriter, req *http.Request) bool { //nolint:unparam // what bends may also decline
		query := req.URL.Query()
		if query.Get("watch") != "" && watch.ParseVersion(query.Get("resourceVersion")) > backup.cluster.ResourceVersion() {
			rw.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(rw).Flush()
			<-req.Context().Done()
			return true
		}
		backup.cluster.Handler().ServeHTTP(rw, req)
		return true
	}
	w.bend.Store(&bend)
	w.cluster.CloseWatches()
	r.Follow(plan(0, 3, 2))
	r.waitHolds(plan(0, 3, 2))
	r.Follow(plan(0, 2, 2))
	eventually(t, "what the backup has", func() bool { return !r.podsRunOn("n1") })
	r.serves(0, 2)
}

// TestWhatIsDeletedWhileAGainIsListedDoesNotComeBack: the pages of a list are all of one moment, and any number of
// deletions may come before the last of them.
func TestWhatIsDeletedWhileAGainIsListedDoesNotComeBack(t *testing.T) {
	w := plannedWorld(t)
	const many = planned + 4*tombstonesPerGeneration
	for i := planned; i < many; i++ {
		w.pod(i, "n1")
	}
	r := w.follower(func(*Options) {})
	asked, answer := make(chan struct{}), make(chan struct{})
	bend := func(rw http.ResponseWriter, req *http.Request) bool {
		if q := req.URL.Query(); !strings.HasSuffix(req.URL.Path, "/pods") || q.Get("limit") == "" || q.Get("continue") != "" {
			return false
		}
		page := httptest.NewRecorder()
		w.cluster.Handler().ServeHTTP(page, req)
		close(asked)
		<-answer
		maps.Copy(rw.Header(), page.Header())
		_, _ = rw.Write(page.Body.Bytes())
		return true
	}
	w.bend.Store(&bend)
	r.Follow(plan(0, 1, 1))
	<-asked
	for i := range many - 1 {
		w.removePod(i)
	}
	w.pod(many, "n2")
	eventually(t, "the last event", func() bool { return r.podsHeld() <= 2 })
	close(answer)
	r.waitHolds(plan(0, 1, 1))
	if n := r.podsHeld(); n != 2 {
		t.Errorf("%d pods are held, want 2", n)
	}
}

// TestListsOfAGainAreSpaced: an API server that fails is not asked by all replicas for all kinds each second.
func TestListsOfAGainAreSpaced(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		network := newPipes()
		w := plannedWorldOn(t, network)
		r := w.follower(func(o *Options) { o.Config.Dial = network.dial })
		time.Sleep(10 * time.Second) // a watch that lasts
		var lists, watches atomic.Int64
		bend := func(rw http.ResponseWriter, req *http.Request) bool {
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
		}
		w.bend.Store(&bend)
		r.Follow(plan(0, 3, 2))
		time.Sleep(time.Minute)
		l, o := lists.Load(), watches.Load()
		if l < 4 || l > 6 || o > 7 {
			t.Errorf("%d lists and %d watches in the first minute, want 4 to 6", l, o)
		}
		time.Sleep(10 * time.Minute)
		l, o = lists.Load()-l, watches.Load()-o
		if l < 10 || l > 21 || o > 23 {
			t.Errorf("%d lists and %d watches in ten minutes, want 10 to 21", l, o)
		}
		w.bend.Store(nil)
		time.Sleep(time.Minute)
		if !r.Holds(plan(0, 3, 2)).All {
			t.Error("the gain is not held a minute after the API server is well")
		}
	})
}

// TestGainIsListedAnewAfterTooManyDeletions: what was deleted meanwhile does not come back, although its tombstone is gone.
func TestGainIsListedAnewAfterTooManyDeletions(t *testing.T) {
	w := plannedWorld(t)
	r := w.follower(func(*Options) {})
	asked, answer := make(chan struct{}), make(chan struct{})
	hold := sync.OnceFunc(func() { close(asked); <-answer })
	var relisted atomic.Bool
	bend := func(rw http.ResponseWriter, req *http.Request) bool {
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
	}
	w.bend.Store(&bend)
	r.Follow(plan(0, 1, 1))
	<-asked
	for i := range planned - 1 {
		w.removePod(i)
	}
	eventually(t, "the deletions", func() bool { return r.podsHeld() <= 1 })
	for _, k := range r.current() {
		k.cancelAdditions()
		k.tombstones.clear()
	}
	close(answer)
	r.waitHolds(plan(0, 1, 1))
	if n := r.podsHeld(); n != 1 || !relisted.Load() {
		t.Errorf("%d pods are held, want 1; listed again: %t", n, relisted.Load())
	}
}

// TestTombstonesAreBoundedWhileAGainIsListed: with more than that the list is given up.
func TestTombstonesAreBoundedWhileAGainIsListed(t *testing.T) {
	r := newWorld(t).start(nil)
	k := r.current()[0]
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	g := &addition{cancel}
	k.trackAddition(g, true)
	s := &handler{kind: k}
	remove := func(i int) {
		s.Delete(watch.Object{Meta: wire.Meta{Namespace: []byte("ns"), Name: strconv.AppendInt(nil, int64(i), 10), ResourceVersion: []byte("7")}})
	}
	for i := range maxTombstones {
		remove(i)
	}
	if ctx.Err() != nil {
		t.Fatalf("given up within the bound: %v", context.Cause(ctx))
	}
	for i := range 2 * maxTombstones {
		remove(maxTombstones + i)
	}
	if !errors.Is(context.Cause(ctx), errTooManyDeletions) {
		t.Errorf("the list ends with %v", context.Cause(ctx))
	}
	if n := len(k.tombstones.current) + len(k.tombstones.previous); n > 2*maxTombstones {
		t.Errorf("%d deletions are remembered", n)
	}
	k.trackAddition(g, false)
	for i := range 2 * tombstonesPerGeneration {
		remove(i)
	}
	if n := len(k.tombstones.current) + len(k.tombstones.previous); n > 2*tombstonesPerGeneration {
		t.Errorf("%d deletions are remembered after the list", n)
	}
}

func (r *run) podsHeld() int {
	return int(r.value("statefleet_objects", "resource", "pods") + r.value("statefleet_objects_hidden", "resource", "pods"))
}
