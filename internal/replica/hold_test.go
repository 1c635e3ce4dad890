package replica

import (
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/store"
)

// A deleted pod stays on the page for the time of --metric.hold-deleted to the
// nanosecond, however many scrapers come: whole scrapes of two servers, requests for
// the headers only, and scrapes that are cut off.
func TestDeletedObjectStaysOnThePageForTheGivenTime(t *testing.T) {
	const (
		hold = 10*time.Minute + 3*time.Second // no multiple of the time between sweeps
		step = time.Millisecond
	)
	for name, scrape := range map[string]func(r *run){
		"no scrape":   func(*run) {},
		"two servers": func(r *run) { r.samples(); r.samples() },
		"headers only": func(r *run) {
			if page, err := r.Collect(store.Text, everything); err == nil {
				page.GzipSize()
				page.Release()
			}
		},
		"cut off": func(r *run) {
			if page, err := r.Collect(store.Text, everything); err == nil {
				_ = page.WriteGzip(brokenPipe{})
				page.Release()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				network := newPipes()
				w := newWorldOn(t, network)
				r := w.start(func(o *Options) {
					o.HoldDeleted, o.Config.Dial = hold, network.dial
					o.Kinds = slices.DeleteFunc(o.Kinds, func(k Kind) bool { return k.Name != "pods" })
				})
				r.assign(0, 1)
				r.waitReady()
				w.pod(1, "n0")
				eventually(t, "the pod", func() bool { return len(podsOn(r.samples())) == 1 })
				scrape(r) // while it lives
				w.removePod(1)
				id := store.NewID(string(uid(1)), "ns1", "p1")
				for !r.current()[0].store.IsExpiring(id) {
					time.Sleep(step)
					synctest.Wait()
				}
				gone := time.Now().Add(hold)
				for time.Until(gone) > time.Minute {
					scrape(r)
					time.Sleep(time.Minute)
				}
				scrape(r)
				time.Sleep(time.Until(gone) - 2*step)
				if len(podsOn(r.samples())) != 1 {
					t.Error("the pod is gone before its time is over")
				}
				time.Sleep(2 * step)
				if len(podsOn(r.samples())) != 0 {
					t.Error("the pod is on the page when its time is over")
				}
			})
		})
	}
}

func everything(string) bool { return true }

// brokenPipe is a client that has left.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
