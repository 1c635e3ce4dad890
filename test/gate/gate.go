// Package gate stands before an API server, with TLS and HTTP/2 as it has them, and lets a handler spoil what passes.
package gate

import (
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"sync"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// Gate is a server that passes requests on, with the credentials that they came with. Its methods may be called concurrently.
type Gate struct {
	handler http.Handler

	mu     sync.Mutex
	server *httptest.Server // nil while it is closed
	at     string
	ca     []byte
}

// Start opens a Gate before the API server of config until the end of the test. Requests go through what spoil makes of the
// handler that passes them on.
func Start(t testing.TB, config *rest.Config, spoil func(http.Handler) http.Handler) *Gate {
	t.Helper()
	to, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(&rest.Config{
		Host: config.Host, TLSClientConfig: rest.TLSClientConfig{CAFile: config.CAFile}, DisableCompression: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	g := &Gate{at: "127.0.0.1:0", handler: spoil(&httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport:     transport,
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	})}
	if err := g.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// Open lets connections in, on the port that it had before.
func (g *Gate) Open() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	listener, err := net.Listen("tcp", g.at)
	if err != nil {
		return err
	}
	server := httptest.NewUnstartedServer(g.handler)
	server.Listener.Close()
	server.Listener, server.EnableHTTP2 = listener, true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	g.server, g.at = server, listener.Addr().String()
	g.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return nil
}

// Close ends all connections, and refuses further ones.
func (g *Gate) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.server != nil {
		_ = g.server.Config.Close() // in this order: a client that comes back while the others are cut off would be waited for
		g.server.Close()
		g.server = nil
	}
}

// Cut ends all connections. New ones are let in at once.
func (g *Gate) Cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.server != nil {
		g.server.CloseClientConnections()
	}
}

// Kubeconfig writes a kubeconfig for the bearer of a token that connects through the Gate, and returns its path.
func (g *Gate) Kubeconfig(t testing.TB, token string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := fleet.WriteKubeconfig(path, "https://"+g.at, g.ca, token); err != nil {
		t.Fatal(err)
	}
	return path
}
