package web

import (
	"net/netip"
	"sync"

	"golang.org/x/time/rate"
)

// client is the sender of a request as far as limits can tell: an IPv4 address, or the /64 network of an IPv6
// address, because one host usually has a whole /64. The zero value stands for peers without an IP address, such as
// those of a Unix socket; limits per client do not apply to them.
type client struct{ network netip.Prefix }

// clientOf returns the client with an address and a port, as in [http.Request.RemoteAddr].
func clientOf(remote string) client {
	parsed, err := netip.ParseAddrPort(remote)
	if err != nil {
		return client{}
	}
	address, bits := parsed.Addr().Unmap(), 64
	if address.Is4() {
		bits = 32
	}
	network, err := address.Prefix(bits) // drops the zone, too
	if err != nil {
		return client{}
	}
	return client{network}
}

// known reports whether limits per client apply.
func (c client) known() bool { return c.network.IsValid() }

// slots limits how many requests are handled at once and shares the slots among clients: a client gets a further slot
// only while it holds fewer than are free. One client gets half of all slots, the next one half of the rest, and so
// on, so that a client that holds none finds a free slot while a few others take as many as they can.
type slots struct {
	mu   sync.Mutex
	free int
	held map[client]int
}

func newSlots(n int) *slots { return &slots{free: n, held: map[client]int{}} }

// take reports whether the client got a slot; leave gives it back.
func (s *slots) take(c client) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free == 0 || c.known() && s.held[c] >= s.free {
		return false
	}
	s.free--
	s.held[c]++
	return true
}

func (s *slots) leave(c client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free++
	if s.held[c]--; s.held[c] == 0 {
		delete(s.held, c)
	}
}

// rates limits how often each client may do something.
type rates struct {
	limit   rate.Limit
	burst   int
	clients int // to remember at most

	mu       sync.Mutex
	byClient map[client]*rate.Limiter
}

func (r *rates) allow(c client) bool {
	if !c.known() {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.byClient[c]
	if !ok {
		if r.byClient == nil {
			r.byClient = map[client]*rate.Limiter{}
		}
		if len(r.byClient) >= r.clients {
			r.evict()
		}
		l = rate.NewLimiter(r.limit, r.burst)
		r.byClient[c] = l
	}
	return l.Allow()
}

// evict forgets the clients that have used nothing lately, or else any one.
func (r *rates) evict() {
	for c, l := range r.byClient {
		if l.Tokens() >= float64(r.burst) {
			delete(r.byClient, c)
		}
	}
	for c := range r.byClient {
		if len(r.byClient) < r.clients {
			return
		}
		delete(r.byClient, c)
	}
}
