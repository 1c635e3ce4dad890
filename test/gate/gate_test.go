package gate

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"k8s.io/client-go/rest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestCloseDoesNotWaitForReconnectingClients runs clients that wait for an endless answer and reconnect as soon as they
// are disconnected. Close must not wait for a client that reconnects while it closes the other connections.
func TestCloseDoesNotWaitForReconnectingClients(t *testing.T) {
	requested := make(chan struct{}, 1)
	endless := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case requested <- struct{}{}:
		default:
		}
		<-r.Context().Done()
	})
	g := Start(t, &rest.Config{Host: "http://127.0.0.1"}, func(http.Handler) http.Handler { return endless })
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	defer clients.Wait()
	defer cancel()
	for range 8 {
		clients.Go(func() { reconnect(ctx, g.at, g.ca) })
	}
	for range 100 {
		<-requested
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			g.Close()
		}()
		select {
		case <-closed:
		case <-time.After(20 * time.Second):
			t.Fatal("Close did not return within 20 s")
		}
		if err := g.Open(); err != nil {
			t.Fatal(err)
		}
	}
}

// reconnect sends a request as soon as the answer to the previous one ends, on connections of its own.
func reconnect(ctx context.Context, address string, ca []byte) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	for ctx.Err() == nil {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address, nil)
		if err != nil {
			continue
		}
		answer, err := transport.RoundTrip(request)
		if err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
		}
	}
}
