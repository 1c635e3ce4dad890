package web

import (
	"net"
	"net/http"
	"sync"
	"testing"
)

// pipes is a listener without a network, so that a server can run on a fake clock.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return fakeAddr("192.0.2.0:80") }

// pipeConn is the server's end of a connection.
type pipeConn struct {
	net.Conn
	from fakeAddr
}

func (c pipeConn) RemoteAddr() net.Addr { return c.from }

// dial connects from an address. Nothing is buffered in between: who does not read holds the other end up at once.
func (p *pipes) dial(t *testing.T, from string) net.Conn {
	t.Helper()
	here, there := net.Pipe()
	p.conns <- pipeConn{there, fakeAddr(from)}
	t.Cleanup(func() { _ = here.Close() })
	return here
}

// client is a client that scrapes from an address.
func (p *pipes) client(t *testing.T, from string) *http.Client {
	transport := &http.Transport{DisableKeepAlives: true}
	transport.Dial = func(string, string) (net.Conn, error) { return p.dial(t, from), nil } //nolint:staticcheck // a pipe needs no context
	return &http.Client{Transport: transport}
}
