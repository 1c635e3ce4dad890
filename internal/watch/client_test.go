package watch

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"
)

// TestCloseIdleConnections checks that clients of an earlier configuration leave no connections
// open.
func TestCloseIdleConnections(t *testing.T) {
	t.Parallel()
	var open atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	server.Start()
	defer server.Close()
	client, err := NewClient(&rest.Config{Host: server.URL}, AcceptBoth)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Get().AbsPath("/").Do(t.Context()).Error(); err != nil {
		t.Fatal(err)
	}
	if n := open.Load(); n != 1 {
		t.Fatalf("got %d open connections after a request, want 1", n)
	}
	client.CloseIdleConnections()
	eventually(t, "the end of the connection", func() bool { return open.Load() == 0 })
}
