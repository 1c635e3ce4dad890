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

// waitingPage waits, when it is written, until it is let go.
type waitingPage struct {
	fakePage
	begun   chan struct{} // gets a value as each write begins
	proceed chan struct{}
}

func (p *waitingPage) WriteText(w io.Writer) error {
	p.begun <- struct{}{}
	<-p.proceed
	return p.fakePage.WriteText(w)
}

// limitedHandler returns a handler that answers n scrapes at once, and the registry of its metrics.
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
	page := &waitingPage{fakePage{[]byte("a 1\n"), &e.released}, make(chan struct{}, scrapers), make(chan struct{})}
	e.replace = page
	h, registry := limitedHandler(t, e, limit)
	var answered, refused atomic.Int64
	var scraping sync.WaitGroup
	for i := range scrapers {
		scraping.Go(func() {
			switch a := askFrom(t, h, fmt.Sprintf("192.0.2.%d:1234", i), "GET", "/metrics"); {
			case a.status == http.StatusOK && a.text == "a 1\n":
				answered.Add(1)
			case a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") != "":
				if refused.Add(1) == scrapers-limit {
					close(page.proceed) // the others are all that is left
				}
			default:
				t.Errorf("status %d, %q", a.status, a.text)
			}
		})
	}
	for range limit {
		<-page.begun
	}
	for _, path := range []string{"/readyz", "/livez", "/"} {
		if a := ask(t, h, "GET", path); a.status != http.StatusOK {
			t.Errorf("%s meanwhile: status %d", path, a.status)
		}
	}
	scraping.Wait()
	if n, m := answered.Load(), refused.Load(); n != limit || m != scrapers-limit {
		t.Errorf("%d answered, %d refused", n, m)
	}
	const want = `# HELP statefleet_scrapes_rejected_total Requests for metrics that were rejected because of --web.max-requests, by port.
# TYPE statefleet_scrapes_rejected_total counter
statefleet_scrapes_rejected_total{port="metrics"} 47
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "statefleet_scrapes_rejected_total"); err != nil {
		t.Error(err)
	}
	if a := ask(t, h, "GET", "/metrics"); a.status != http.StatusOK {
		t.Errorf("afterwards: status %d", a.status)
	}
}

func TestNoLimit(t *testing.T) {
	const scrapers = 100
	e := &fakeExporter{}
	page := &waitingPage{fakePage{[]byte("a 1\n"), &e.released}, make(chan struct{}), make(chan struct{})}
	e.replace = page
	h, _ := limitedHandler(t, e, 0)
	var scraping sync.WaitGroup
	for range scrapers {
		scraping.Go(func() {
			if a := ask(t, h, "GET", "/metrics"); a.status != http.StatusOK {
				t.Errorf("status %d", a.status)
			}
		})
	}
	for range scrapers { // all are there at once
		<-page.begun
	}
	close(page.proceed)
	scraping.Wait()
}

// gatherer waits when it is asked.
type gatherer struct{ begun, proceed chan struct{} }

func (g *gatherer) Describe(chan<- *prometheus.Desc) {}

func (g *gatherer) Collect(chan<- prometheus.Metric) {
	close(g.begun)
	<-g.proceed
}

func TestTelemetryPortHasItsOwnLimit(t *testing.T) {
	r := prometheus.NewRegistry()
	waits := &gatherer{make(chan struct{}), make(chan struct{})}
	r.MustRegister(waits)
	h, err := TelemetryHandler(&fakeExporter{}, r, quiet(), Options{MaxRequests: 1})
	if err != nil {
		t.Fatal(err)
	}
	first := make(chan int)
	go func() { first <- ask(t, h, "GET", "/metrics").status }()
	<-waits.begun
	if a := ask(t, h, "GET", "/metrics"); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("status %d", a.status)
	}
	close(waits.proceed)
	if status := <-first; status != http.StatusOK {
		t.Errorf("the first: status %d", status)
	}
}

// Scrapers that never read hold the places of one address until the write timeout, and nothing but these places.
func TestScrapersThatNeverReadAreCutOff(t *testing.T) {
	const limit, scrapers, share = 5, 50, 3
	e := &fakeExporter{}
	page := &hugePage{fakePage{released: &e.released}, make(chan struct{}, scrapers)}
	e.replace = page
	h, _ := limitedHandler(t, e, limit)
	r := start(t, Server{Handler: h, Timeouts: Timeouts{Write: 2 * time.Second}}, 1)
	for range scrapers {
		dial(t, r.addresses[0])
	}
	for range share {
		<-page.begun
	}
	if status, _, err := r.get(t, r.addresses[0], "/readyz"); status != http.StatusOK || err != nil {
		t.Errorf("/readyz meanwhile: %d, %v", status, err)
	}
	for deadline := time.Now().Add(patience); e.released.Load() < share; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("they are never cut off")
		}
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
}

// Clients that connect and send nothing, or half of a request, hold a connection until the timeout, and no place of a scrape.
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
			t.Errorf("another one meanwhile: %d, %v", status, err)
		}
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if answer, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(string(answer), "200") {
			t.Errorf("%q is answered %q, %v", text, answer, err)
		}
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
}

// endless sends a request whose query string has no end, and returns the status line of the answer; empty when the connection
// was closed without one.
func endless(t *testing.T, address string) string {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
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
		t.Error("the server reads on and on")
	}
	return strings.TrimSpace(line)
}

func TestQueryStringsAreBounded(t *testing.T) {
	h, _ := newHandler(t, &fakeExporter{})
	r := start(t, Server{Handler: h, Timeouts: DefaultTimeouts()}, 1)
	if got := endless(t, r.addresses[0]); got != "" && !strings.HasPrefix(got, "HTTP/1.1 431 ") {
		t.Errorf("an endless one is answered %q", got)
	}
	status, _, err := r.get(t, r.addresses[0], "/metrics?resources="+strings.Repeat("pods,", maxHeaderBytes))
	if err == nil && status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a long one is answered %d", status)
	}
	status, text, err := r.get(t, r.addresses[0], "/metrics?resources="+strings.Repeat("pods,", maxHeaderBytes/8))
	if err != nil || status != http.StatusOK || strings.Contains(text, "kube_job_info{") {
		t.Errorf("one that fits: %d, %v", status, err)
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
}

func TestProfilesAreOnTheTelemetryPortIfEnabled(t *testing.T) {
	for _, asked := range []bool{false, true} {
		r := prometheus.NewRegistry()
		o := Options{Profiling: asked}
		main, err := Handler(&fakeExporter{}, r, o)
		if err != nil {
			t.Fatal(err)
		}
		telemetry, err := TelemetryHandler(&fakeExporter{}, r, quiet(), o)
		if err != nil {
			t.Fatal(err)
		}
		want := http.StatusNotFound
		if asked {
			want = http.StatusOK
		}
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/symbol", "/debug/pprof/goroutine?debug=1"} {
			if a := ask(t, main, "GET", path); a.status != http.StatusNotFound {
				t.Errorf("profiling %v: main port, %s: status %d", asked, path, a.status)
			}
			if a := ask(t, telemetry, "GET", path); a.status != want {
				t.Errorf("profiling %v: telemetry port, %s: status %d", asked, path, a.status)
			}
		}
		if linked := strings.Contains(ask(t, telemetry, "GET", "/").text, "debug/pprof"); linked != asked {
			t.Errorf("profiling %v: the landing page links to profiles: %v", asked, linked)
		}
		if strings.Contains(ask(t, main, "GET", "/").text, "debug/pprof") {
			t.Errorf("profiling %v: the main port's landing page links to profiles", asked)
		}
	}
}

// The package with the profiles registers them with the default mux, which the toolkit takes when there is no handler.
func TestTheDefaultMuxIsNeverServed(t *testing.T) {
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/debug/pprof/cmdline", nil)
	if _, pattern := http.DefaultServeMux.Handler(r); pattern == "" {
		t.Fatal("the default mux has no profiles, so that this test shows nothing")
	}
	if err := start(t, Server{Timeouts: DefaultTimeouts()}, 1).wait(t); err == nil {
		t.Error("a server without a handler runs")
	}
}
