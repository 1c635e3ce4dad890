package web

import (
	"net"
	"net/http"
	"sync"
	"testing"
)

// pipeListener is a listener without a network, so that a server can run on a fake clock.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipeListener) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipeListener) Addr() net.Addr { return fakeAddr("192.0.2.0:80") }

// pipeConn is the server's end of a connection.
type pipeConn struct {
	net.Conn
	from fakeAddr
}

func (c pipeConn) RemoteAddr() net.Addr { return c.from }

// dial connects from an address. A pipe has no buffer: a client that does not read blocks the server at once.
func (p *pipeListener) dial(t *testing.T, from string) net.Conn {
	t.Helper()
	here, there := net.Pipe()
	p.conns <- pipeConn{there, fakeAddr(from)}
	t.Cleanup(func() { _ = here.Close() })
	return here
}

// client returns a client that connects from an address.
func (p *pipeListener) client(t *testing.T, from string) *http.Client {
	transport := &http.Transport{DisableKeepAlives: true}
	transport.Dial = func(string, string) (net.Conn, error) { return p.dial(t, from), nil } //nolint:staticcheck // a pipe needs no context
	return &http.Client{Transport: transport}
}
