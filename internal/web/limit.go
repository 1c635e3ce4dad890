package web

import (
	"errors"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
)

// newRejected registers the counter of what a port refuses because of [Options.MaxRequests].
func newRejected(r prometheus.Registerer, port string) (prometheus.Counter, error) {
	c := prometheus.NewCounter(prometheus.CounterOpts{
		Name:        "statefleet_scrapes_rejected_total",
		Help:        "Requests for a page of metrics that were refused because of --web.max-requests, by port.",
		ConstLabels: prometheus.Labels{"port": port},
	})
	return c, r.Register(c)
}

// limitConcurrency lets at most n requests into next at the same time, and shares these slots among clients; 0 stands for any number. The
// others are refused at once: a client that waits would hold a connection, and learn no more.
func limitConcurrency(next http.Handler, n int, rejected prometheus.Counter) http.Handler {
	if n == 0 {
		return next
	}
	busy := errors.New("too many requests at once")
	all := newSlots(n)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := clientOf(r.RemoteAddr)
		if !all.take(from) {
			rejected.Inc()
			notReady(w, busy)
			return
		}
		defer all.leave(from)
		next.ServeHTTP(w, r)
	})
}
