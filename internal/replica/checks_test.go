package replica

import (
	"testing"
	"time"

	"github.com/statefleet/statefleet/internal/faketime"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
	"github.com/statefleet/statefleet/watch"
)

// checkedInSimulatedTime starts a replica that has a look at one of all kinds each
// second, with the grace of the program, and follows them.
func checkedInSimulatedTime(t *testing.T) *run {
	network := newPipes()
	r := newWorldOn(t, network).start(func(o *Options) {
		o.Config.Dial = network.dial
		o.CheckEvery = time.Duration(len(o.Kinds)) * time.Second
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
		if k.store.Known(idOf(77)) {
			n++
		}
	}
	return n
}

func TestKindsWaitForTheirSecondLookTogether(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		r := checkedInSimulatedTime(t)
		r.haunt(maxWaiting)
		round := r.options.CheckEvery
		time.Sleep(round + watch.CheckGrace)
		if n := r.haunted(); n > 0 {
			t.Errorf("%d kinds are wrong after one round and one grace period", n)
		}
		if n := r.value("statefleet_consistency_checks_total", "result", checkRepaired); n != maxWaiting {
			t.Errorf("%v repairs", n)
		}
	})
}

// More than wait at a time come after them, and no kind is left out for that.
func TestFewKindsWaitForTheirSecondLookAtATime(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		r := checkedInSimulatedTime(t)
		all := len(r.current())
		r.haunt(all)
		time.Sleep(watch.CheckGrace)
		if n := r.haunted(); n < all-maxWaiting {
			t.Errorf("%d kinds of %d are wrong before the second look", n, all)
		}
		time.Sleep(time.Duration(all/maxWaiting+1) * (watch.CheckGrace + maxWaiting*time.Second))
		if n := r.haunted(); n > 0 {
			t.Errorf("%d kinds are still wrong", n)
		}
	})
}

func TestKindsThatAreRightAreListedOnceARound(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		r := checkedInSimulatedTime(t)
		round := r.options.CheckEvery
		time.Sleep(10 * round)
		if n, all := r.value("statefleet_consistency_checks_total", "result", checkEqual), float64(len(r.current())); n < 9*all || n > 11*all {
			t.Errorf("%v checks of %v kinds in ten rounds", n, all)
		}
	})
}
