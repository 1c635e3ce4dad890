package web

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
)

// reservedConnections is how many connections a server accepts beyond its limits. They are for probes: other requests
// on them are refused.
const reservedConnections = 16

// ConnectionLimits bound the connections that clients can hold open. Beyond a limit, a new connection takes the place
// of an idle one. If none is idle, the new connection gets one of the 16 places that are reserved for probes. Zero
// means no limit.
type ConnectionLimits struct {
	Max       int // on all listeners of a server
	PerClient int // from one IPv4 address or one IPv6 /64 network
}

// WithinDescriptors returns limits that leave descriptors for everything else, if the process may open that many
// files and has that many servers. Zero descriptors means that there is no limit.
func (l ConnectionLimits) WithinDescriptors(descriptors uint64, servers int) ConnectionLimits {
	const others = 128 // the API server, files, listeners, and connections that are being closed
	if descriptors == 0 {
		return l
	}
	room := max(1, (int(min(descriptors, 1<<30))-others)/servers-reservedConnections)
	if l.Max == 0 || l.Max > room {
		l.Max = room
	}
	if half := max(1, l.Max/2); l.PerClient > half {
		l.PerClient = half
	}
	return l
}

// connections keeps the connections of one server within limits. The server tells it which of them are idle, which
// includes those that have not sent a whole request yet.
type connections struct {
	limits  ConnectionLimits
	metrics *ServerMetrics
	server  string

	mu       sync.Mutex
	all      map[net.Conn]*connection
	held     map[client]int // without those on reserved places
	ordinary int            // the sum of held
	idle     list.List      // of *connection, the one that has been idle longest first
	reserved list.List      // of *connection, the oldest first
}

// connection is one connection of a client.
type connection struct {
	conn     net.Conn
	from     client
	reserved bool          // never changes
	place    *list.Element // in idle or reserved; nil: neither
}

type connectionKey struct{}

func newConnections(limits ConnectionLimits, metrics *ServerMetrics, server string) *connections {
	return &connections{
		limits: limits, metrics: metrics, server: server,
		all: map[net.Conn]*connection{}, held: map[client]int{},
	}
}

// admit implements http.Server.ConnContext, which is called for each connection before anything is read from it.
func (c *connections) admit(ctx context.Context, conn net.Conn) context.Context {
	n := &connection{conn: conn, from: clientOf(conn.RemoteAddr().String())}
	c.mu.Lock()
	victim := c.victim(n)
	if victim != nil {
		c.remove(victim)
	}
	c.add(n)
	c.mu.Unlock()
	if victim != nil {
		victim.close()
		c.metrics.closed(c.server)
	}
	if n.reserved {
		c.metrics.beyond(c.server)
	}
	return context.WithValue(ctx, connectionKey{}, n)
}

// victim returns the connection that has to be closed so that n can be added; nil: none. If no connection is idle, n
// gets a reserved place.
func (c *connections) victim(n *connection) (victim *connection) {
	switch {
	case c.limits.PerClient > 0 && n.from.known() && c.held[n.from] >= c.limits.PerClient:
		victim = oldestOf(&c.idle, n.from)
	case c.limits.Max > 0 && c.ordinary >= c.limits.Max:
		victim = oldestOfMost(&c.idle)
	default:
		return nil
	}
	n.reserved = victim == nil
	if n.reserved && c.reserved.Len() >= reservedConnections {
		return oldestOfMost(&c.reserved)
	}
	return victim
}

// oldestOf returns the first connection of a client; nil: there is none.
func oldestOf(l *list.List, from client) *connection {
	for e := l.Front(); e != nil; e = e.Next() {
		if n := e.Value.(*connection); n.from == from {
			return n
		}
	}
	return nil
}

// oldestOfMost returns the first connection of the client that has most; nil: the list is empty.
func oldestOfMost(l *list.List) *connection {
	counts, most := map[client]int{}, client{}
	for e := l.Front(); e != nil; e = e.Next() {
		from := e.Value.(*connection).from
		if counts[from]++; counts[from] > counts[most] {
			most = from
		}
	}
	return oldestOf(l, most)
}

func (c *connections) add(n *connection) {
	c.all[n.conn] = n
	c.metrics.open(c.server, 1)
	if n.reserved {
		n.place = c.reserved.PushBack(n)
		return
	}
	c.held[n.from]++
	c.ordinary++
	n.place = c.idle.PushBack(n)
}

func (c *connections) remove(n *connection) {
	delete(c.all, n.conn)
	c.metrics.open(c.server, -1)
	if n.reserved {
		c.reserved.Remove(n.place)
		return
	}
	c.ordinary--
	if c.held[n.from]--; c.held[n.from] == 0 {
		delete(c.held, n.from)
	}
	c.leaveIdle(n)
}

func (c *connections) leaveIdle(n *connection) {
	if n.place != nil {
		c.idle.Remove(n.place)
		n.place = nil
	}
}

// changed implements http.Server.ConnState.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, ok := c.all[conn]
	if !ok { // it was closed to make room
		return
	}
	switch {
	case state == http.StateClosed || state == http.StateHijacked:
		c.remove(n)
	case n.reserved: // it keeps its place, whatever it does
	case state == http.StateActive:
		c.leaveIdle(n)
	case state == http.StateIdle && n.place == nil:
		n.place = c.idle.PushBack(n)
	}
}

// close ends a connection at once. Of TLS it closes the connection below: a client that does not read could hold up
// the goodbye of TLS.
func (n *connection) close() {
	conn := n.conn
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	_ = conn.Close() // can only fail for a connection that is gone
}

var errManyConnections = errors.New("too many connections")

// protect answers only probes on reserved connections, one on each.
func (c *connections) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, ok := r.Context().Value(connectionKey{}).(*connection); ok && n.reserved {
			w.Header().Set("Connection", "close")
			if !isProbe(r.URL.Path) {
				notReady(w, errManyConnections)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
