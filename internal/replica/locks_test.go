package replica

import (
	"sync/atomic"
	"testing"
)

// A Reflector that delivers the end of an object takes its own mutex first, and that of its kind
// then. Whatever asks for the versions to save must not wait for them in the other order.
func TestVersionsToSaveAreReadWhileObjectsAreDeleted(t *testing.T) {
	t.Parallel()
	w := plannedWorld(t)
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
				if r.ResumeVersions() != "" {
					reads.Add(1)
				}
			}
		}
	}()
	for i := range planned {
		before := reads.Load()
		w.removePod(i)
		eventually(t, "another read of the versions", func() bool { return reads.Load() > before })
	}
	eventually(t, "the end of all pods", func() bool { return len(podsIn(r.samples())) == 0 })
	close(stop)
	<-stopped
}
