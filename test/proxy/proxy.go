// Package proxy is a TCP proxy between clients and a server of a test. It counts the forwarded bytes, and closes or
// refuses connections on demand.
package proxy

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy forwards TCP connections. All methods may be called concurrently.
type Proxy struct {
	listener net.Listener
	target   string
	received atomic.Int64
	working  sync.WaitGroup

	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
	refuse bool
}

// Start listens on a free port of loopback until the end of the test, and forwards connections to target, a host and
// port.
func Start(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: listener, target: target, open: map[net.Conn]struct{}{}}
	p.working.Go(p.accept)
	t.Cleanup(p.stop)
	return p
}

// Address returns the host and port to connect to.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Received returns the number of bytes that the server has sent to clients.
func (p *Proxy) Received() int64 { return p.received.Load() }

// Cut closes all connections and returns their number. New connections are accepted at once.
func (p *Proxy) Cut() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn := range p.open {
		conn.Close()
	}
	return len(p.open) / 2
}

// Refuse(true) closes all connections, and every new one, until Refuse(false).
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	p.refuse = on
	p.mu.Unlock()
	if on {
		p.Cut()
	}
}

func (p *Proxy) stop() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.listener.Close()
	p.Cut()
	p.working.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.working.Go(func() { p.forward(client) })
	}
}

func (p *Proxy) forward(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.add(client, server) {
		return
	}
	defer p.remove(client, server)
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(server, client)
		server.Close() // ends the other direction, too: half-open connections are not needed
	})
	_, _ = io.Copy(client, io.TeeReader(server, (*counter)(&p.received)))
	client.Close()
	up.Wait()
}

// add records the two ends of a connection. It returns false if connections are refused.
func (p *Proxy) add(ends ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.refuse {
		return false
	}
	for _, end := range ends {
		p.open[end] = struct{}{}
	}
	return true
}

func (p *Proxy) remove(ends ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, end := range ends {
		delete(p.open, end)
	}
}

// counter counts the bytes that are written to it.
type counter atomic.Int64

func (c *counter) Write(b []byte) (int, error) {
	(*atomic.Int64)(c).Add(int64(len(b)))
	return len(b), nil
}
