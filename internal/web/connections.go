package web

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// reservedConnections is the number of connections that a server accepts beyond its limits, for
// probes. It rejects other requests on them.
const reservedConnections = 16

// ConnectionLimits limit the connections that clients can hold open. Beyond a limit, a new connection
// replaces an idle one. If none is idle, the new connection becomes one of the 16 reserved ones, on
// which only probes are answered. Zero means no limit.
type ConnectionLimits struct {
	Max       int // on all listeners of a server
	PerClient int // from one IPv4 address or one IPv6 /64 network
}

// WithinDescriptors returns limits that leave file descriptors for other uses, given the number of
// files that the process may open, and of its servers. Zero descriptors means no limit.
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

// connections keeps the connections of one server within limits. Idle connections include those that
// have not sent a complete request yet.
type connections struct {
	limits     ConnectionLimits
	open       prometheus.Gauge
	closedIdle prometheus.Counter
	beyond     prometheus.Counter

	mu        sync.Mutex
	all       map[net.Conn]*connection
	perClient map[client]int // without reserved ones
	idle      list.List      // of *connection, the longest idle first
	reserved  list.List      // of *connection, the oldest first
}

// connection is one connection of a client.
type connection struct {
	conn     net.Conn
	from     client
	reserved bool          // never changes
	element  *list.Element // in idle or reserved; nil: in neither
}

type connectionKey struct{}

func newConnections(limits ConnectionLimits, metrics *ServerMetrics, port string) *connections {
	return &connections{
		limits:     limits,
		open:       metrics.connections.WithLabelValues(port),
		closedIdle: metrics.closedIdle.WithLabelValues(port),
		beyond:     metrics.beyondLimit.WithLabelValues(port),
		all:        map[net.Conn]*connection{}, perClient: map[client]int{},
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
		c.closedIdle.Inc()
	}
	if n.reserved {
		c.beyond.Inc()
	}
	return context.WithValue(ctx, connectionKey{}, n)
}

// victim returns the connection to close for n; nil: none. If no connection is idle, n becomes a
// reserved one.
func (c *connections) victim(n *connection) (victim *connection) {
	switch {
	case c.limits.PerClient > 0 && n.from.limited() && c.perClient[n.from] >= c.limits.PerClient:
		victim = oldestOf(&c.idle, n.from)
	case c.limits.Max > 0 && c.ordinary() >= c.limits.Max:
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

// oldestOf returns the first connection of a client; nil if there is none.
func oldestOf(l *list.List, from client) *connection {
	for e := l.Front(); e != nil; e = e.Next() {
		if n := e.Value.(*connection); n.from == from {
			return n
		}
	}
	return nil
}

// oldestOfMost returns the first connection of the client with the most connections; nil if the list
// is empty.
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

// ordinary returns the number of connections that are not reserved ones.
func (c *connections) ordinary() int { return len(c.all) - c.reserved.Len() }

func (c *connections) add(n *connection) {
	c.all[n.conn] = n
	c.open.Inc()
	if n.reserved {
		n.element = c.reserved.PushBack(n)
		return
	}
	c.perClient[n.from]++
	n.element = c.idle.PushBack(n)
}

func (c *connections) remove(n *connection) {
	delete(c.all, n.conn)
	c.open.Dec()
	if n.reserved {
		c.reserved.Remove(n.element)
		return
	}
	if c.perClient[n.from]--; c.perClient[n.from] == 0 {
		delete(c.perClient, n.from)
	}
	c.leaveIdle(n)
}

func (c *connections) leaveIdle(n *connection) {
	if n.element != nil {
		c.idle.Remove(n.element)
		n.element = nil
	}
}

// changed implements http.Server.ConnState.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, ok := c.all[conn]
	if !ok { // was evicted
		return
	}
	switch {
	case state == http.StateClosed || state == http.StateHijacked:
		c.remove(n)
	case n.reserved: // stays in its list
	case state == http.StateActive:
		c.leaveIdle(n)
	case state == http.StateIdle && n.element == nil:
		n.element = c.idle.PushBack(n)
	}
}

// close closes a connection at once. With TLS it closes the connection below, because a client that
// does not read could block the closing alert.
func (n *connection) close() {
	conn := n.conn
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	_ = conn.Close() // fails only for a connection that is closed already
}

var errTooManyConnections = errors.New("too many connections")

// protect rejects requests on reserved connections, except for one probe on each.
func (c *connections) protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, ok := r.Context().Value(connectionKey{}).(*connection); ok && n.reserved {
			w.Header().Set("Connection", "close")
			if !isProbe(r.URL.Path) {
				notReady(w, errTooManyConnections)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// ServerMetrics are the self-metrics of the servers of a process.
type ServerMetrics struct {
	connections *prometheus.GaugeVec
	closedIdle  *prometheus.CounterVec
	beyondLimit *prometheus.CounterVec
}

// NewServerMetrics registers the metrics with r.
func NewServerMetrics(r prometheus.Registerer) (*ServerMetrics, error) {
	m := &ServerMetrics{
		connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "statefleet_http_connections",
			Help: "Open connections of clients, by port.",
		}, []string{"port"}),
		closedIdle: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statefleet_http_connections_closed_total",
			Help: "Connections closed for new ones, because of --web.max-connections, --web.max-connections-per-client " +
				"or the limit of open files, by port.",
		}, []string{"port"}),
		beyondLimit: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "statefleet_http_connections_beyond_limit_total",
			Help: "Connections beyond these limits while no other was idle, by port. Only probes are answered on them.",
		}, []string{"port"}),
	}
	return m, errors.Join(r.Register(m.connections), r.Register(m.closedIdle), r.Register(m.beyondLimit))
}
