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

// checkInterval is the average time between two comparisons of a kind, about as many seconds as
// there are kinds.
const checkInterval = 40 * time.Second

// checkedInSimulatedTime starts a replica that compares each kind once per checkInterval.
func checkedInSimulatedTime(t *testing.T) *run {
	network := newPipes()
	r := newWorldOn(t, network).start(func(o *Options) {
		o.Config.Dial = network.dial
		o.verify(checkInterval, 0)
	})
	r.assign(0, 1)
	r.waitReady()
	return r
}

// haunt has the first kinds hold an object that there is not.
func (r *run) haunt(kinds int) {
	for _, k := range r.current()[:kinds] {
		lines := &store.Lines{Ends: make([]int, len(k.Renderer.Families()))}
		k.store.Put(store.Object{ID: idOf(77), Hash: shard.Hash(string(uid(77))), Version: 1}, lines)
	}
}

// haunted is how many kinds do so.
func (r *run) haunted() (n int) {
	for _, k := range r.current() {
		if k.store.Contains(idOf(77)) {
			n++
		}
	}
	return n
}

// TestKindsWaitForTheirSecondComparisonTogether: all kinds are wrong at the same time.
func TestKindsWaitForTheirSecondComparisonTogether(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		r := checkedInSimulatedTime(t)
		all := len(r.current())
		r.haunt(all)
		time.Sleep(checkInterval + checkInterval/2 + verify.DefaultGrace)
		if n := r.haunted(); n > 0 {
			t.Errorf("%d kinds are wrong after one interval and one grace period", n)
		}
		if n := r.value("statefleet_consistency_checks_total", "result", checkRepaired); n != float64(all) {
			t.Errorf("%v repairs of %d kinds", n, all)
		}
	})
}

func TestKindsThatAreRightAreListedOnceARound(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		r := checkedInSimulatedTime(t)
		time.Sleep(10 * checkInterval)
		if n, all := r.value("statefleet_consistency_checks_total", "result", checkEqual), float64(len(r.current())); n < 9*all || n > 11*all {
			t.Errorf("%v checks of %v kinds in ten rounds", n, all)
		}
	})
}

// TestChecksOfReplicasSpread: replicas that start together do not list the same kind at the same time.
func TestChecksOfReplicasSpread(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		network := newPipes()
		w := newWorldOn(t, network)
		var mu sync.Mutex
		var lists []metadataList
		bend := func(_ http.ResponseWriter, r *http.Request) bool {
			if listsMetadata(r) {
				mu.Lock()
				defer mu.Unlock()
				lists = append(lists, metadataList{r.URL.Path, time.Now()})
			}
			return false
		}
		w.bend.Store(&bend)
		const replicas = 4
		for i := range replicas {
			r := w.start(func(o *Options) {
				o.Config.Dial = network.dial
				o.verify(checkInterval, 0)
			})
			r.assign(i, replicas)
			defer r.waitReady()
		}
		time.Sleep(200 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		together := 0
		for i, l := range lists[1:] {
			if before := lists[i]; before.path == l.path && l.at.Sub(before.at) < 100*time.Millisecond {
				together++
			}
		}
		if len(lists) < replicas*150 || together > len(lists)/4 {
			t.Errorf("%d of %d lists were within 100 ms of another of the same kind", together, len(lists))
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

// TestReplicaThatOwnsNothingListsNothing: there is no selector for it, so it would list everything.
func TestReplicaThatOwnsNothingListsNothing(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		network := newPipes()
		w := newWorldOn(t, network)
		r := w.start(func(o *Options) {
			o.Config.Dial = network.dial
			o.verify(checkInterval, 0)
			o.NamespaceSelector = labels.Everything()
		})
		r.Follow(plan(2, 3, 3))
		r.waitReady()
		r.Follow(plan(2, 2, 2))
		r.waitHolds(plan(2, 2, 2))
		time.Sleep(time.Second)
		var requests atomic.Int64
		bend := func(_ http.ResponseWriter, r *http.Request) bool {
			if listsMetadata(r) {
				requests.Add(1)
			}
			return false
		}
		w.bend.Store(&bend)
		time.Sleep(3 * checkInterval)
		if n := requests.Load(); n > 0 {
			t.Errorf("%d lists of a replica that owns nothing", n)
		}
		r.Follow(plan(2, 2, 3))
		r.waitHolds(plan(2, 2, 3))
		time.Sleep(2 * checkInterval)
		if requests.Load() == 0 {
			t.Error("nothing is checked once it owns something again")
		}
	})
}
