package replica

import (
	"sync/atomic"
	"testing"
)

// TestVersionsToSaveAreReadWhileObjectsAreDeleted checks the order of two mutexes. A Reflector that
// delivers a deletion takes its own one and then that of its kind. resumePointOf must not take them in
// the other order.
func TestVersionsToSaveAreReadWhileObjectsAreDeleted(t *testing.T) {
	t.Parallel()
	w := populatedWorld(t)
	r := w.start(podsOnly)
	r.assign(0, 1)
	r.waitReady()
	var reads atomic.Int64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				if r.resumePointOf(r.current()[0]) != nil {
					reads.Add(1)
				}
			}
		}
	}()
	for i := range podCount {
		before := reads.Load()
		w.removePod(i)
		eventually(t, "another read of the versions", func() bool { return reads.Load() > before })
	}
	eventually(t, "no pods", func() bool { return len(podsIn(r.samples())) == 0 })
	close(stop)
	<-stopped
}
