package web

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// blockingSnapshot is an exposition whose writes block until proceed is closed.
type blockingSnapshot struct {
	fakeSnapshot
	begun   chan struct{} // receives a value when a write begins
	proceed chan struct{}
}

func (p *blockingSnapshot) WriteText(w io.Writer) error {
	p.begun <- struct{}{}
	<-p.proceed
	return p.fakeSnapshot.WriteText(w)
}

// limitedHandler returns a handler that admits n concurrent scrapes, and the registry of its metrics.
func limitedHandler(t *testing.T, e Exporter, n int) (http.Handler, *prometheus.Registry) {
	t.Helper()
	r := prometheus.NewRegistry()
	h, err := Handler(e, r, Options{MaxRequests: n})
	if err != nil {
		t.Fatal(err)
	}
	return h, r
}

func TestScrapesAboveTheLimitAreRejected(t *testing.T) {
	const limit, scrapers = 3, 50
	e := &fakeExporter{}
	snapshot := &blockingSnapshot{fakeSnapshot{[]byte("a 1\n"), &e.released}, make(chan struct{}, scrapers), make(chan struct{})}
	e.replace = snapshot
	h, registry := limitedHandler(t, e, limit)
	var answered, refused atomic.Int64
	var scraping sync.WaitGroup
	for i := range scrapers {
		scraping.Go(func() {
			switch a := doFrom(t, h, fmt.Sprintf("192.0.2.%d:1234", i), "GET", "/metrics"); {
			case a.status == http.StatusOK && a.text == "a 1\n":
				answered.Add(1)
			case a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != "":
				if refused.Add(1) == scrapers-limit {
					close(snapshot.proceed) // only the admitted scrapes are left
				}
			default:
				t.Errorf("got status %d, %q; want the exposition, or 503 with Retry-After", a.status, a.text)
			}
		})
	}
	for range limit {
		<-snapshot.begun
	}
	for _, path := range []string{"/readyz", "/livez", "/"} {
		if a := do(t, h, "GET", path); a.status != http.StatusOK {
			t.Errorf("%s during the scrapes: got status %d, want 200", path, a.status)
		}
	}
	scraping.Wait()
	if n, m := answered.Load(), refused.Load(); n != limit || m != scrapers-limit {
		t.Errorf("got %d scrapes answered and %d refused, want %d and %d", n, m, limit, scrapers-limit)
	}
	const want = `# HELP statefleet_scrapes_rejected_total Requests for metrics that were rejected because of --web.max-requests, by port.
# TYPE statefleet_scrapes_rejected_total counter
statefleet_scrapes_rejected_total{port="metrics"} 47
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "statefleet_scrapes_rejected_total"); err != nil {
		t.Error(err)
	}
	if a := do(t, h, "GET", "/metrics"); a.status != http.StatusOK {
		t.Errorf("after the scrapes: got status %d, want 200", a.status)
	}
}

func TestNoLimit(t *testing.T) {
	const scrapers = 100
	e := &fakeExporter{}
	snapshot := &blockingSnapshot{fakeSnapshot{[]byte("a 1\n"), &e.released}, make(chan struct{}), make(chan struct{})}
	e.replace = snapshot
	h, _ := limitedHandler(t, e, 0)
	var scraping sync.WaitGroup
	for range scrapers {
		scraping.Go(func() {
			if a := do(t, h, "GET", "/metrics"); a.status != http.StatusOK {
				t.Errorf("got status %d, want 200", a.status)
			}
		})
	}
	for range scrapers { // all are in progress at once
		<-snapshot.begun
	}
	close(snapshot.proceed)
	scraping.Wait()
}

// blockingCollector is a collector that blocks until proceed is closed. It closes begun when it is called.
type blockingCollector struct{ begun, proceed chan struct{} }

func (g *blockingCollector) Describe(chan<- *prometheus.Desc) {}

func (g *blockingCollector) Collect(chan<- prometheus.Metric) {
	close(g.begun)
	<-g.proceed
}

func TestTelemetryPortHasItsOwnLimit(t *testing.T) {
	r := prometheus.NewRegistry()
	collector := &blockingCollector{make(chan struct{}), make(chan struct{})}
	r.MustRegister(collector)
	h, err := TelemetryHandler(&fakeExporter{}, r, quiet(), Options{MaxRequests: 1, StatusPage: http.NotFoundHandler()})
	if err != nil {
		t.Fatal(err)
	}
	first := make(chan int)
	go func() { first <- do(t, h, "GET", "/metrics").status }()
	<-collector.begun
	if a := do(t, h, "GET", "/metrics"); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("the second request: got status %d, Retry-After %q; want 503 and a time",
			a.status, a.header.Get("Retry-After"))
	}
	close(collector.proceed)
	if status := <-first; status != http.StatusOK {
		t.Errorf("the first request: got status %d, want 200", status)
	}
}

// Scrapers that never read occupy the slots of their address until the write timeout, and nothing else.
func TestScrapersThatNeverReadAreCutOff(t *testing.T) {
	const limit, scrapers, share = 5, 50, 3
	e := &fakeExporter{}
	snapshot := &hugeSnapshot{fakeSnapshot{released: &e.released}, make(chan struct{}, scrapers)}
	e.replace = snapshot
	h, _ := limitedHandler(t, e, limit)
	r := start(t, Server{Handler: h, Timeouts: Timeouts{Write: 2 * time.Second}}, 1)
	for range scrapers {
		dial(t, r.addresses[0])
	}
	for range share {
		<-snapshot.begun
	}
	if status, _, err := r.get(t, r.addresses[0], "/readyz"); status != http.StatusOK || err != nil {
		t.Errorf("/readyz during the scrapes: got status %d, error %v; want 200", status, err)
	}
	for deadline := time.Now().Add(testTimeout); e.released.Load() < share; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("scrapers that never read are not cut off")
		}
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
}

// Clients that send nothing or half of a request occupy a connection until the timeout, but no slot of a scrape.
func TestClientsThatNeverSendAreCutOff(t *testing.T) {
	h, _ := limitedHandler(t, &fakeExporter{}, 1)
	r := start(t, Server{Handler: h, Timeouts: Timeouts{ReadHeader: 2 * time.Second}}, 1)
	for _, text := range []string{"", "GET /met", "GET /metrics HTTP/1.1\r\nHost: statefleet\r\nX-More:"} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.addresses[0])
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		if status, _, err := r.get(t, r.addresses[0], "/metrics"); status != http.StatusOK {
			t.Errorf("a scrape by another client: got status %d, error %v; want 200", status, err)
		}
		if err := conn.SetDeadline(time.Now().Add(testTimeout)); err != nil {
			t.Fatal(err)
		}
		if response, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(string(response), "200") {
			t.Errorf("after %q: got %q, error %v; want the connection closed without a 200", text, response, err)
		}
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
}

// sendEndlessQuery sends a request whose query string does not end, and returns the status line of the response; "" if
// the connection was closed without one.
func sendEndlessQuery(t *testing.T, address string) string {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(testTimeout)); err != nil {
		t.Fatal(err)
	}
	go func() {
		block := bytes.Repeat([]byte("resources=pods&"), 1<<12)
		_, err := io.WriteString(conn, "GET /metrics?")
		for err == nil {
			_, err = conn.Write(block)
		}
	}()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the server does not stop reading the query string")
	}
	return strings.TrimSpace(line)
}

func TestQueryStringsAreBounded(t *testing.T) {
	h, _ := newHandler(t, &fakeExporter{})
	r := start(t, Server{Handler: h, Timeouts: DefaultTimeouts()}, 1)
	if got := sendEndlessQuery(t, r.addresses[0]); got != "" && !strings.HasPrefix(got, "HTTP/1.1 431 ") {
		t.Errorf("an endless query string: got %q, want 431 or a closed connection", got)
	}
	status, _, err := r.get(t, r.addresses[0], "/metrics?resources="+strings.Repeat("pods,", maxHeaderBytes))
	if err == nil && status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a query string above the limit: got status %d, want 431", status)
	}
	status, text, err := r.get(t, r.addresses[0], "/metrics?resources="+strings.Repeat("pods,", maxHeaderBytes/8))
	if err != nil || status != http.StatusOK || strings.Contains(text, "kube_job_info{") {
		t.Errorf("a query string within the limit: got status %d, error %v; want pods only", status, err)
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
}

func TestProfilesAreOnTheTelemetryPortIfEnabled(t *testing.T) {
	for _, enabled := range []bool{false, true} {
		r := prometheus.NewRegistry()
		o := Options{Profiling: enabled, StatusPage: http.NotFoundHandler()}
		main, err := Handler(&fakeExporter{}, r, o)
		if err != nil {
			t.Fatal(err)
		}
		telemetry, err := TelemetryHandler(&fakeExporter{}, r, quiet(), o)
		if err != nil {
			t.Fatal(err)
		}
		want := http.StatusNotFound
		if enabled {
			want = http.StatusOK
		}
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/symbol", "/debug/pprof/goroutine?debug=1"} {
			if a := do(t, main, "GET", path); a.status != http.StatusNotFound {
				t.Errorf("profiling %v: main port, %s: got status %d, want 404", enabled, path, a.status)
			}
			if a := do(t, telemetry, "GET", path); a.status != want {
				t.Errorf("profiling %v: telemetry port, %s: got status %d, want %d", enabled, path, a.status, want)
			}
		}
		if strings.Contains(do(t, main, "GET", "/").text, "debug/pprof") {
			t.Errorf("profiling %v: the main port's landing page links to profiles", enabled)
		}
	}
}

// Package pprof registers its profiles with http.DefaultServeMux, which net/http serves if a server has no handler.
func TestTheDefaultMuxIsNeverServed(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/debug/pprof/cmdline", nil)
	if _, pattern := http.DefaultServeMux.Handler(r); pattern == "" {
		t.Fatal("the default mux has no profiles, so this test proves nothing")
	}
	if err := start(t, Server{Timeouts: DefaultTimeouts()}, 1).wait(t); err == nil {
		t.Error("a server without a handler gives no error")
	}
}
