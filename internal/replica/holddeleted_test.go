package replica

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/store"
)

// TestDeletedObjectStaysVisibleForHoldDeleted checks that a deleted pod stays visible for exactly
// the time of --metric.hold-deleted, whatever clients do: scrapes of two servers, requests for
// headers only, and aborted scrapes.
func TestDeletedObjectStaysVisibleForHoldDeleted(t *testing.T) {
	const (
		hold = 10*time.Minute + 3*time.Second // no multiple of sweepInterval
		step = time.Millisecond
	)
	for name, scrape := range map[string]func(r *run){
		"no scrape":   func(*run) {},
		"two servers": func(r *run) { r.samples(); r.samples() },
		"headers only": func(r *run) {
			if snapshot, err := r.Snapshot(store.Text, allKinds); err == nil {
				snapshot.GzipSize()
				snapshot.Release()
			}
		},
		"cut off": func(r *run) {
			if snapshot, err := r.Snapshot(store.Text, allKinds); err == nil {
				_ = snapshot.WriteGzip(brokenPipe{})
				snapshot.Release()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				network := newPipes()
				w := newWorldOn(t, network)
				r := w.start(func(o *Options) {
					o.HoldDeleted, o.Config.Dial = hold, network.dial
					podsOnly(o)
				})
				r.assign(0, 1)
				r.waitReady()
				w.pod(1, "n0")
				eventually(t, "the pod to be visible", func() bool { return len(podsIn(r.samples())) == 1 })
				scrape(r) // before the deletion
				w.removePod(1)
				id := store.NewID(string(uid(1)), "ns1", "p1")
				for !r.current()[0].store.IsExpiring(id) {
					time.Sleep(step)
					synctest.Wait()
				}
				expires := time.Now().Add(hold)
				for time.Until(expires) > time.Minute {
					scrape(r)
					time.Sleep(time.Minute)
				}
				scrape(r)
				time.Sleep(time.Until(expires) - 2*step)
				if len(podsIn(r.samples())) != 1 {
					t.Error("the pod was removed too early")
				}
				time.Sleep(2 * step)
				if len(podsIn(r.samples())) != 0 {
					t.Error("the pod is still visible after the hold time")
				}
			})
		})
	}
}

// brokenPipe is a client that has closed its connection.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
