package replica

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/statefleet/statefleet/internal/testing/faketime"
)

// TestListThatRestoresSamplesIsNotInterrupted covers an API server that takes longer to list a kind
// than two such lists are apart.
func TestListThatRestoresSamplesIsNotInterrupted(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		network := newPipes()
		w := newWorldOn(t, network)
		r := w.start(func(o *Options) {
			o.Config.Dial = network.dial
			o.Kinds = []Kind{portsKind(t, 10)}
		})
		w.put(portsPod(1, 8))
		w.put(portsPod(2, 8))
		r.assign(0, 1)
		r.waitReady()
		var lists atomic.Int64
		answer := make(chan struct{})
		w.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.Query().Get("sendInitialEvents") != "" {
				lists.Add(1)
				select {
				case <-answer:
				case <-r.Context().Done():
				}
			}
			return false
		})
		w.deletePod(portsPod(1, 8))
		time.Sleep(restoreInterval + 30*time.Second)
		if n := lists.Load(); n != 1 {
			t.Errorf("got %d lists, want one that is still in progress", n)
		}
		close(answer)
		time.Sleep(10 * time.Second)
		if n := r.value("statefleet_limited_series", "family", "port"); n != 8 {
			t.Errorf("got %v samples after the list, want all 8 of the pod that is left", n)
		}
	})
}
