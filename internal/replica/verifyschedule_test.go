package replica

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/internal/watch/verify"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// verifyInterval is the average time between two verifications of a kind.
const verifyInterval = 40 * time.Second

// startVerifiedInSimulatedTime starts a replica that verifies each kind once per verifyInterval.
func startVerifiedInSimulatedTime(t *testing.T) *run {
	network := newPipes()
	r := newWorldOn(t, network).start(func(o *Options) {
		o.Config.Dial = network.dial
		o.verify(verifyInterval, 0)
	})
	r.assign(0, 1)
	r.waitReady()
	return r
}

// addStaleObjects adds an object that does not exist to the stores of the first kinds.
func (r *run) addStaleObjects(kinds int) {
	for _, k := range r.current()[:kinds] {
		lines := &store.Lines{Ends: make([]int, len(k.Renderer.Families()))}
		k.store.Put(store.Object{ID: idOf(77), Hash: shard.Hash(string(uid(77))), Version: 1}, lines)
	}
}

// kindsWithStaleObject returns how many kinds still hold the object of addStaleObjects.
func (r *run) kindsWithStaleObject() (n int) {
	for _, k := range r.current() {
		if k.store.Contains(idOf(77)) {
			n++
		}
	}
	return n
}

// TestKindsAreConfirmedConcurrently checks that the grace periods of several kinds overlap.
func TestKindsAreConfirmedConcurrently(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		r := startVerifiedInSimulatedTime(t)
		all := len(r.current())
		r.addStaleObjects(all)
		time.Sleep(verifyInterval + verifyInterval/2 + verify.DefaultGrace)
		if n := r.kindsWithStaleObject(); n > 0 {
			t.Errorf("%d kinds are not repaired after one interval and one grace period", n)
		}
		if n := r.value("statefleet_consistency_checks_total", "result", checkRepaired); n != float64(all) {
			t.Errorf("got %v repairs, want %d", n, all)
		}
	})
}

func TestEqualKindsAreListedOncePerInterval(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		r := startVerifiedInSimulatedTime(t)
		time.Sleep(10 * verifyInterval)
		if n, all := r.value("statefleet_consistency_checks_total", "result", checkEqual), float64(len(r.current())); n < 9*all || n > 11*all {
			t.Errorf("got %v verifications in ten intervals, want about %v", n, 10*all)
		}
	})
}

// TestReplicasVerifyAtDifferentTimes checks that replicas that start together do not list the same
// kind at the same time.
func TestReplicasVerifyAtDifferentTimes(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		network := newPipes()
		w := newWorldOn(t, network)
		var mu sync.Mutex
		var lists []metadataList
		w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
			if listsMetadata(r) {
				mu.Lock()
				defer mu.Unlock()
				lists = append(lists, metadataList{r.URL.Path, time.Now()})
			}
			return false
		})
		const replicas = 4
		for i := range replicas {
			r := w.start(func(o *Options) {
				o.Config.Dial = network.dial
				o.verify(verifyInterval, 0)
			})
			r.assign(i, replicas)
			defer r.waitReady()
		}
		time.Sleep(200 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		simultaneous := 0
		for i, l := range lists[1:] {
			if before := lists[i]; before.path == l.path && l.at.Sub(before.at) < 100*time.Millisecond {
				simultaneous++
			}
		}
		if len(lists) < replicas*150 || simultaneous > len(lists)/4 {
			t.Errorf("%d of %d lists came within 100 ms of another of the same kind, want a quarter at most of %d or more", simultaneous, len(lists), replicas*150)
		}
	})
}

type metadataList struct {
	path string
	at   time.Time
}

func listsMetadata(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "PartialObjectMetadataList")
}

// TestIdleReplicaVerifiesNothing checks a replica without a shard. There is no selector for
// nothing, so it would list everything.
func TestIdleReplicaVerifiesNothing(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		network := newPipes()
		w := newWorldOn(t, network)
		r := w.start(func(o *Options) {
			o.Config.Dial = network.dial
			o.verify(verifyInterval, 0)
			o.NamespaceSelector = labels.Everything()
		})
		r.Follow(plan(2, 3, 3))
		r.waitReady()
		r.Follow(plan(2, 2, 2))
		r.waitHolds(plan(2, 2, 2))
		time.Sleep(time.Second)
		var requests atomic.Int64
		w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
			if listsMetadata(r) {
				requests.Add(1)
			}
			return false
		})
		time.Sleep(3 * verifyInterval)
		if n := requests.Load(); n > 0 {
			t.Errorf("got %d lists of an idle replica, want none", n)
		}
		r.Follow(plan(2, 2, 3))
		r.waitHolds(plan(2, 2, 3))
		time.Sleep(2 * verifyInterval)
		if requests.Load() == 0 {
			t.Error("nothing is verified once the replica has a shard again")
		}
	})
}
