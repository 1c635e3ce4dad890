package replica

import (
	"net/http"
	"sync/atomic"
	"testing"
)

// TestObjectLimitIsATotal counts objects over all pages of lists, over namespaces that are listed
// one by one, and over the events after that.
func TestObjectLimitIsATotal(t *testing.T) {
	for name, namespaces := range map[string][]string{
		"one list":             nil,
		"a list per namespace": {"ns0", "ns1", "ns2"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for i := range 60 {
				w.pod(i, "n0")
			}
			var pages atomic.Int64
			w.intercept(func(rw http.ResponseWriter, r *http.Request) bool {
				query := r.URL.Query()
				switch {
				case query.Get("sendInitialEvents") != "":
					http.Error(rw, "lists are not streamed here", http.StatusUnprocessableEntity)
					return true
				case query.Get("limit") != "":
					pages.Add(1)
					query.Set("limit", "4")
					r.URL.RawQuery = query.Encode()
				}
				return false
			})
			r := w.start(func(o *Options) {
				podsOnly(o)
				o.ObjectLimit, o.Namespaces = 10, namespaces
			})
			r.assign(0, 1)
			r.waitReady()
			if n := pages.Load(); n < 15 {
				t.Errorf("got %d pages of lists, want 15 or more", n)
			}
			if got := len(podsIn(r.samples())); got != 10 {
				t.Errorf("got %d pods after the list, want 10", got)
			}
			leftOut := func() float64 { return r.value("statefleet_updates_total", "result", "over_limit") }
			before := leftOut()
			for i := range 30 {
				w.pod(100+i, "n0")
			}
			eventually(t, "events of all pods", func() bool {
				return leftOut() >= before+30
			})
			if got := len(podsIn(r.samples())); got != 10 {
				t.Errorf("got %d pods after the events, want 10", got)
			}
		})
	}
}
