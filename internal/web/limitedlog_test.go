package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/statefleet/statefleet/internal/testing/faketime"
)

// logBuffer is a buffer for several goroutines.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestClientsCannotFillTheLog(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir)
	h, _ := newHandler(t, &fakeExporter{})
	var text logBuffer
	l := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	s := Server{
		Listeners: []net.Listener{l}, Handler: h, Config: runConfig(t, writeFile(t, dir, "web.yml", serverTLS)), Timeouts: DefaultTimeouts(),
		Metrics: serverMetrics(t), Logger: slog.New(slog.NewTextHandler(&text, nil)),
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for range 200 {
		conn := connect(t, l.Addr().String())
		_, _ = io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") // without TLS
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := strings.Count(text.String(), "TLS handshake error"); n != 1 {
		t.Errorf("got %d lines about TLS handshakes, want 1:\n%s", n, text.String())
	}
}

func TestSuppressedLinesAreCounted(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		var text logBuffer
		l := newLimitedLog(slog.New(slog.NewTextHandler(&text, nil)), slog.LevelWarn)
		standard := l.logger()
		time.Sleep(30 * time.Second)
		for range 2000 {
			standard.Printf("http: TLS handshake error from 192.0.2.1:4711: no TLS")
		}
		standard.Printf("http: panic serving 192.0.2.1:4711: oh") // of another kind
		if n := strings.Count(text.String(), "\n"); n != 2 {
			t.Errorf("got %d lines at first, want 2:\n%s", n, text.String())
		}
		time.Sleep(5 * time.Minute)
		if n := strings.Count(text.String(), "\n"); n != 3 || !strings.Contains(text.String(), "similar_lines=1999") {
			t.Errorf("got %d lines later, want 3 with the number of suppressed ones:\n%s", n, text.String())
		}
		standard.Printf("http: TLS handshake error from 192.0.2.1:4711: no TLS")
		if n := strings.Count(text.String(), "\n"); n != 4 {
			t.Errorf("got %d lines after another error, want 4:\n%s", n, text.String())
		}
	})
}

// Each scrape of the telemetry port may log that metrics cannot be gathered. Nothing logs a further line once that is
// over.
func TestSuppressedErrorsOfGatheringAreCounted(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		var text logBuffer
		registry := prometheus.NewRegistry()
		registry.MustRegister(failingCollector{})
		h, err := TelemetryHandler(&fakeExporter{}, registry, slog.New(slog.NewTextHandler(&text, nil)), Options{StatusPage: http.NotFoundHandler()})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if r := do(t, h, "GET", "/metrics"); r.status != http.StatusInternalServerError {
				t.Errorf("got status %d, want 500", r.status)
			}
		}
		time.Sleep(5 * time.Minute)
		if n := strings.Count(text.String(), "\n"); n != 2 || !strings.Contains(text.String(), "similar_lines=2") {
			t.Errorf("got %d lines, want 2 with the number of suppressed ones:\n%s", n, text.String())
		}
	})
}

type failingCollector struct{}

func (failingCollector) Describe(chan<- *prometheus.Desc) {}

func (failingCollector) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(errors.New("oh")), errors.New("oh"))
}

// Clients may be able to make single reviews fail.
func TestIntermittentFailuresDoNotFillTheLog(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		var text logBuffer
		f := failureLog{log: slog.New(slog.NewTextHandler(&text, nil)), review: "token"}
		for range 600 { // 10 minutes
			_ = f.note(errors.New("too long"))
			_ = f.note(nil)
			time.Sleep(time.Second)
		}
		if n := strings.Count(text.String(), "\n"); n > 20 || n < 2 {
			t.Errorf("got %d lines, want 2 to 20", n)
		}
	})
}
