// Package gate is a reverse proxy in front of an API server. Like the API server, it speaks TLS and HTTP/2. A handler
// of the caller may inject faults.
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

// Gate is a server that forwards requests with their credentials. Its methods may be called concurrently.
type Gate struct {
	handler http.Handler

	mu     sync.Mutex
	server *httptest.Server // nil while it is closed
	at     string
	ca     []byte
}

// Start runs a Gate in front of the API server of config until the end of the test. wrap returns the handler of
// requests. Its argument is the handler that forwards them.
func Start(t testing.TB, config *rest.Config, wrap func(http.Handler) http.Handler) *Gate {
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
	g := &Gate{at: "127.0.0.1:0", handler: wrap(&httputil.ReverseProxy{
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

// Open accepts connections again, on the same port as before.
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

// Close closes all connections, and refuses new ones.
func (g *Gate) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.server != nil {
		_ = g.server.Config.Close() // first, because server.Close would wait for a client that reconnects meanwhile
		g.server.Close()
		g.server = nil
	}
}

// Cut closes all connections. New ones are accepted at once.
func (g *Gate) Cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.server != nil {
		g.server.CloseClientConnections()
	}
}

// Kubeconfig writes a kubeconfig with a token and the address of the Gate, and returns its path.
func (g *Gate) Kubeconfig(t testing.TB, token string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := fleet.WriteKubeconfig(path, "https://"+g.at, g.ca, token); err != nil {
		t.Fatal(err)
	}
	return path
}
