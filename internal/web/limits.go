package web

import (
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/util/cache"
)

// client identifies the sender of a request for limits: an IPv4 address, or the /64 network of an
// IPv6 address, because one host usually has a whole /64. The zero value is a peer without an IP
// address, such as that of a Unix socket. Limits per client do not apply to it.
type client struct{ network netip.Prefix }

// clientOf returns the client with an address and a port, as in [http.Request.RemoteAddr].
func clientOf(remote string) client {
	parsed, _ := netip.ParseAddrPort(remote) // of another peer: the zero value
	address, bits := parsed.Addr().Unmap(), 64
	if address.Is4() {
		bits = 32
	}
	network, _ := address.Prefix(bits) // drops the zone, too; that of the zero value is zero
	return client{network}
}

// limited reports whether limits per client apply.
func (c client) limited() bool { return c.network.IsValid() }

// slots limits concurrent requests and shares the slots among clients: a client gets another slot
// only while it holds fewer than are free. One client gets half of all slots, the next one half of
// the rest, and so on. A client without a slot therefore finds a free one even while a few others
// take as many as they can.
type slots struct {
	mu   sync.Mutex
	free int
	held map[client]int
}

func newSlots(n int) *slots { return &slots{free: n, held: map[client]int{}} }

// acquire reports whether the client got a slot, which it must release.
func (s *slots) acquire(c client) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free == 0 || c.limited() && s.held[c] >= s.free {
		return false
	}
	s.free--
	s.held[c]++
	return true
}

func (s *slots) release(c client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free++
	if s.held[c]--; s.held[c] == 0 {
		delete(s.held, c)
	}
}

// Limits of the memory for rates: clients, some hundred bytes each, and how long each is remembered.
const (
	maxClients = 1024
	rateTTL    = 24 * time.Hour
)

// budget limits the expensive checks that a client can cause, so that those of other clients do not
// wait for them.
type budget struct {
	limit rate.Limit // per client and second
	burst int
	slots *slots

	mu    sync.Mutex
	rates *cache.LRUExpireCache // *rate.Limiter, by client
}

func newBudget(perSecond rate.Limit, burst, atOnce int) *budget {
	return &budget{limit: perSecond, burst: burst, slots: newSlots(atOnce), rates: cache.NewLRUExpireCache(maxClients)}
}

// acquire reports whether the client may cause a check now. It must release it afterwards.
func (b *budget) acquire(from client) bool { return b.allow(from) && b.slots.acquire(from) }

func (b *budget) release(from client) { b.slots.release(from) }

// allow reports whether the rate of the client permits a check.
func (b *budget) allow(from client) bool {
	if !from.limited() {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	l, ok := b.rates.Get(from)
	if !ok {
		l = rate.NewLimiter(b.limit, b.burst)
		b.rates.Add(from, l, rateTTL)
	}
	return l.(*rate.Limiter).Allow()
}

// limitConcurrency admits at most n concurrent requests, shared among clients; 0 means no limit. It
// rejects others at once, because a request that waits would only hold a connection, and counts them
// for the port in r.
func limitConcurrency(next http.Handler, n int, r prometheus.Registerer, port string) (http.Handler, error) {
	rejected := prometheus.NewCounter(prometheus.CounterOpts{
		Name:        "statefleet_scrapes_rejected_total",
		Help:        "Requests for metrics that were rejected because of --web.max-requests, by port.",
		ConstLabels: prometheus.Labels{"port": port},
	})
	if err := r.Register(rejected); err != nil || n == 0 {
		return next, err
	}
	busy := errors.New("too many concurrent requests")
	requests := newSlots(n)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := clientOf(r.RemoteAddr)
		if !requests.acquire(from) {
			rejected.Inc()
			notReady(w, busy)
			return
		}
		defer requests.release(from)
		next.ServeHTTP(w, r)
	}), nil
}
