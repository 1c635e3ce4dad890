package simulator

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
)

// Server is one listener of a Cluster. To measure the traffic of each client,
// start one server per client. The methods may be called concurrently.
type Server struct {
	handler *handler
	http    *httptest.Server
	cancel  context.CancelFunc // ends all watches
}

// URL returns the base URL of the API, such as "http://127.0.0.1:6443".
func (s *Server) URL() string { return s.http.URL }

// Traffic counts what this listener serves.
func (s *Server) Traffic() *Traffic { return &s.handler.traffic }

// HonourShards overrides Options.ShardSelector for this listener. Open watches
// are not affected.
func (s *Server) HonourShards(honour bool) { s.handler.shards.Store(honour) }

// Stop closes the listener and all connections and waits until every request
// has ended. It may be called more than once.
func (s *Server) Stop() {
	_ = s.http.Listener.Close() // first, so that a client whose watch ends cannot open another one
	s.http.CloseClientConnections()
	s.cancel()
	s.http.Close()
}

// Serve starts a server on addr, by default "127.0.0.1:0". The caller must stop it.
func (c *Cluster) Serve(addr string) (*Server, error) {
	ctx, cancel := context.WithCancel(context.Background())
	listener, err := (&net.ListenConfig{Control: disablePacing}).Listen(ctx, "tcp", cmp.Or(addr, "127.0.0.1:0"))
	if err != nil {
		cancel()
		return nil, fmt.Errorf("listen for the simulated API: %w", err)
	}
	s := &Server{handler: c.newHandler(), cancel: cancel}
	s.http = &httptest.Server{Listener: listener, Config: &http.Server{
		Handler: s.handler, BaseContext: func(net.Listener) context.Context { return ctx },
	}}
	s.http.Start()
	return s, nil
}

// Traffic counts the requests for resources and the responses. It may be read while they are counted.
type Traffic struct {
	Lists, Watches, Gets atomic.Uint64 // requests; each page of a list is one
	Events               atomic.Uint64 // watch frames, including bookmarks
	Bytes                atomic.Uint64 // of response bodies, without chunk headers
}
