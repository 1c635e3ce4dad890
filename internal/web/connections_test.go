package web

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// fakeConn is a connection from an address. It records whether it was closed.
type fakeConn struct {
	net.Conn
	from   string
	closed bool
}

func (c *fakeConn) RemoteAddr() net.Addr { return fakeAddr(c.from) }

func (c *fakeConn) Close() error {
	c.closed = true
	return nil
}

type fakeAddr string

func (fakeAddr) Network() string  { return "tcp" }
func (a fakeAddr) String() string { return string(a) }

// admitFrom admits n new connections from an address.
func admitFrom(c *connections, n int, from string) (all []*fakeConn) {
	for range n {
		conn := &fakeConn{from: from + ":4711"}
		c.admit(context.Background(), conn)
		all = append(all, conn)
	}
	return all
}

// closedIndexes returns the indexes of the connections that were closed.
func closedIndexes(all []*fakeConn) (indexes []int) {
	for i, c := range all {
		if c.closed {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

func TestNewConnectionReplacesTheLongestIdleOne(t *testing.T) {
	c := newConnections(ConnectionLimits{Max: 4}, serverMetrics(t), "")
	all := admitFrom(c, 4, "192.0.2.1")
	c.changed(all[0], http.StateActive)
	c.changed(all[1], http.StateActive)
	c.changed(all[1], http.StateIdle) // now the youngest
	admitFrom(c, 1, "192.0.2.2")
	if got := fmt.Sprint(closedIndexes(all)); got != "[2]" {
		t.Errorf("closed connections: got %s, want the one that was idle longest, [2]", got)
	}
	admitFrom(c, 2, "192.0.2.3")
	if got := fmt.Sprint(closedIndexes(all)); got != "[1 2 3]" || c.ordinary() != 4 {
		t.Errorf("closed connections: got %s, want all idle ones, [1 2 3]; got %d left, want 4", got, c.ordinary())
	}
}

func TestClientWithManyConnectionsClosesNoneOfAnother(t *testing.T) {
	c := newConnections(ConnectionLimits{Max: 40, PerClient: 10}, serverMetrics(t), "")
	prometheus := admitFrom(c, 2, "192.0.2.1")
	for i := range 5 { // together more than the limit
		admitFrom(c, 1000, fmt.Sprintf("192.0.2.%d", 10+i))
	}
	if got := closedIndexes(prometheus); len(got) > 0 || c.ordinary() > 40 {
		t.Errorf("closed connections of another client: got %v, want none; got %d open, want at most 40",
			got, c.ordinary())
	}
}

// One host usually has a whole /64 network.
func TestAddressesOfOneIPv6NetworkAreOneClient(t *testing.T) {
	c := newConnections(ConnectionLimits{PerClient: 3}, serverMetrics(t), "")
	for i := range 100 {
		admitFrom(c, 1, fmt.Sprintf("[2001:db8::%x]", i))
	}
	if c.ordinary() != 3 {
		t.Errorf("got %d connections of one network, want 3", c.ordinary())
	}
}

func TestReservedConnectionsAreReusedInTurn(t *testing.T) {
	c := newConnections(ConnectionLimits{Max: 2}, serverMetrics(t), "")
	for _, conn := range admitFrom(c, 2, "192.0.2.1") {
		c.changed(conn, http.StateActive)
	}
	probe := admitFrom(c, 1, "192.0.2.2")
	others := admitFrom(c, 100, "192.0.2.1")
	if len(closedIndexes(probe)) != 0 {
		t.Error("connections of another client closed the connection of a probe")
	}
	if n := len(others) - len(closedIndexes(others)); n != reservedConnections-1 || len(c.all) != 2+reservedConnections {
		t.Errorf("got %d other connections, %d in total; want %d and %d",
			n, len(c.all), reservedConnections-1, 2+reservedConnections)
	}
	for conn := range c.all {
		c.changed(conn, http.StateClosed)
	}
	if len(c.all) != 0 || c.ordinary() != 0 || len(c.perClient) != 0 || c.idle.Len() != 0 || c.reserved.Len() != 0 {
		t.Errorf("after all connections were closed, got %+v, want no connection", c)
	}
}

func TestConnectionsFitIntoTheOpenFiles(t *testing.T) {
	for _, c := range []struct {
		limits      ConnectionLimits
		descriptors uint64
		want        ConnectionLimits
	}{
		{ConnectionLimits{512, 128}, 1 << 20, ConnectionLimits{512, 128}},
		{ConnectionLimits{512, 128}, 0, ConnectionLimits{512, 128}}, // unknown
		{ConnectionLimits{512, 128}, 1024, ConnectionLimits{432, 128}},
		{ConnectionLimits{512, 128}, 256, ConnectionLimits{48, 24}},
		{ConnectionLimits{512, 128}, 64, ConnectionLimits{1, 1}},
		{ConnectionLimits{0, 0}, 1024, ConnectionLimits{432, 0}},
		{ConnectionLimits{0, 0}, 1<<64 - 1, ConnectionLimits{1<<29 - 80, 0}}, // RLIM_INFINITY
		{ConnectionLimits{100, 90}, 1 << 20, ConnectionLimits{100, 50}},
	} {
		if got := c.limits.WithinDescriptors(c.descriptors, 2); got != c.want {
			t.Errorf("%+v with %d descriptors: got %+v, want %+v", c.limits, c.descriptors, got, c.want)
		}
	}
}

// serveLimited starts a server with connection limits, and returns the registry of its metrics.
func serveLimited(t *testing.T, h http.Handler, limits ConnectionLimits) (*running, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	m, err := NewServerMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, Server{Handler: h, Timeouts: DefaultTimeouts(), Connections: limits, Metrics: m, Port: "metrics"}, 1), registry
}

func connect(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestProbesAndScrapesAreAnsweredWhileAClientHoldsIdleConnections(t *testing.T) {
	const limit, attack = 20, 300
	h, _ := newHandler(t, &fakeExporter{})
	r, registry := serveLimited(t, h, ConnectionLimits{Max: limit})
	for i := range attack {
		conn := connect(t, r.addresses[0])
		if i%2 == 0 {
			_, _ = io.WriteString(conn, "GET /metr") // half of a request; the connection may be closed
		}
	}
	for _, path := range []string{"/livez", "/readyz", "/healthz", "/metrics"} {
		if status, _, err := r.get(t, r.addresses[0], path); status != http.StatusOK {
			t.Errorf("%s: got status %d, error %v; want 200", path, status, err)
		}
	}
	if n, err := testutil.GatherAndCount(registry, "statefleet_http_connections"); n != 1 || err != nil {
		t.Error(n, err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		switch value := f.GetMetric()[0]; f.GetName() {
		case "statefleet_http_connections":
			if n := value.GetGauge().GetValue(); n > limit {
				t.Errorf("got %v open connections, want at most %d", n, limit)
			}
		case "statefleet_http_connections_closed_total":
			if n := value.GetCounter().GetValue(); n < attack-limit {
				t.Errorf("got %v connections closed for new ones, want at least %d", n, attack-limit)
			}
		}
	}
}

// Connections with a request in progress are not closed. Reserved connections serve probes only.
func TestProbesAreAnsweredWhileAllConnectionsAreBusy(t *testing.T) {
	const limit = 4
	busy, proceed := make(chan struct{}), make(chan struct{})
	h, _ := newHandler(t, &fakeExporter{})
	mux := http.NewServeMux()
	mux.Handle("/", h)
	mux.HandleFunc("/wait", func(http.ResponseWriter, *http.Request) {
		busy <- struct{}{}
		<-proceed
	})
	r, registry := serveLimited(t, mux, ConnectionLimits{Max: limit})
	waiting := make(chan int, limit)
	for range limit {
		go func() {
			status, _, _ := r.get(t, r.addresses[0], "/wait")
			waiting <- status
		}()
	}
	for range limit {
		<-busy
	}
	for range 100 { // idle connections take the reserved ones in turn
		connect(t, r.addresses[0])
	}
	for _, path := range []string{"/livez", "/readyz", "/healthz"} {
		if status, _, err := r.get(t, r.addresses[0], path); status != http.StatusOK {
			t.Errorf("%s: got status %d, error %v; want 200", path, status, err)
		}
	}
	if status, _, err := r.get(t, r.addresses[0], "/metrics"); status != http.StatusServiceUnavailable {
		t.Errorf("a scrape: got status %d, error %v; want 503", status, err)
	}
	close(proceed)
	for range limit {
		if status := <-waiting; status != http.StatusOK {
			t.Errorf("a request in progress: got status %d, want 200", status)
		}
	}
	if n, err := testutil.GatherAndCount(registry, "statefleet_http_connections_beyond_limit_total"); n != 1 || err != nil {
		t.Error(n, err)
	}
}

// An HTTP/2 connection without a request is idle, and its client notices at once that it was closed.
func TestIdleHTTP2ConnectionsAreReplaced(t *testing.T) {
	dir := t.TempDir()
	client := writeCertificate(t, dir)
	transport := client.Transport.(*http.Transport)
	transport.ForceAttemptHTTP2 = true
	h, _ := newHandler(t, &fakeExporter{})
	file := writeFile(t, dir, "web.yml", serverTLS)
	r := start(t, Server{Handler: h, Config: runConfig(t, file), Timeouts: DefaultTimeouts(), Connections: ConnectionLimits{Max: 3}}, 1)
	for range 10 {
		mine := &http.Client{Transport: transport.Clone(), Timeout: testTimeout}
		defer mine.CloseIdleConnections()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+r.addresses[0]+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := mine.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK || response.ProtoMajor != 2 {
			t.Errorf("got %s, status %s, error %v; want HTTP/2 and 200", response.Proto, response.Status, err)
		}
		_ = response.Body.Close()
	}
}
