package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/statefleet/statefleet/internal/testing/faketime"
)

// useLongExposition sets an exposition of half a megabyte, so that each of its writes blocks if the client does not
// read.
func useLongExposition(e *fakeExporter) {
	e.replace = &fakeSnapshot{bytes.Repeat([]byte("a 1\n"), 128<<10), &e.released}
}

// serveOnFakeClock runs a test f of a handler on a fake clock.
func serveOnFakeClock(t *testing.T, h http.Handler, timeouts Timeouts, f func(t *testing.T, p *pipeListener)) {
	t.Helper()
	runOnFakeClock(t, Server{Handler: h, Timeouts: timeouts}, f)
}

// runOnFakeClock runs a server on a fake clock while f runs.
func runOnFakeClock(t *testing.T, s Server, f func(t *testing.T, p *pipeListener)) {
	t.Helper()
	faketime.Test(t, func(t *testing.T) {
		p := newPipeListener()
		s.Listeners, s.Logger, s.Metrics = []net.Listener{p}, quiet(), serverMetrics(t)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		f(t, p)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func scrapeOnce(t *testing.T, client *http.Client, scheme string) int {
	t.Helper()
	status, _, err := fetch(t, client, scheme+"://statefleet/metrics")
	if err != nil {
		t.Error(err)
	}
	return status
}

// 45 clients of one address that never read, and connect again after they were cut off, leave a slot for Prometheus.
func TestClientsThatNeverReadLeaveASlotForPrometheus(t *testing.T) {
	e := &fakeExporter{}
	useLongExposition(e)
	h, _ := limitedHandler(t, e, 40)
	serveOnFakeClock(t, h, DefaultTimeouts(), func(t *testing.T, p *pipeListener) {
		ctx, stop := context.WithCancel(t.Context())
		for range 45 {
			go func() {
				for ctx.Err() == nil {
					conn := p.dial(t, "192.0.2.66:4711")
					_, _ = io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
					time.Sleep(6 * time.Second)
					_ = conn.Close()
				}
			}()
		}
		synctest.Wait()
		prometheus := p.client(t, "192.0.2.1:4711")
		for range 30 {
			if status := scrapeOnce(t, prometheus, "http"); status != http.StatusOK {
				t.Errorf("a scrape: got status %d, want 200", status)
			}
			time.Sleep(2 * time.Second)
		}
		stop()
		time.Sleep(10 * time.Second)
	})
}

func TestStalledResponseIsEnded(t *testing.T) {
	e := &fakeExporter{}
	useLongExposition(e)
	h, _ := newHandler(t, e)
	timeouts := DefaultTimeouts()
	serveOnFakeClock(t, h, timeouts, func(t *testing.T, p *pipeListener) {
		began := time.Now()
		conn := p.dial(t, "192.0.2.66:4711")
		_, _ = io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
		for e.released.Load() == 0 {
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(began); took > timeouts.Stall+time.Second {
			t.Errorf("the request ended after %s, want %s", took, timeouts.Stall)
		}
	})
}

// A client that reads slowly but steadily gets the whole response, within the write timeout.
func TestSlowResponseWithProgressContinues(t *testing.T) {
	for _, c := range []struct {
		write time.Duration
		whole bool
	}{{time.Minute, true}, {10 * time.Second, false}, {0, true}} {
		e := &fakeExporter{}
		useLongExposition(e)
		h, _ := newHandler(t, e)
		timeouts := DefaultTimeouts()
		timeouts.Write = c.write
		serveOnFakeClock(t, h, timeouts, func(t *testing.T, p *pipeListener) {
			conn := p.dial(t, "192.0.2.1:4711")
			_, _ = io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			var got bytes.Buffer
			for { // 16 KiB a second, half a megabyte in 32
				n, err := io.CopyN(&got, conn, 16<<10)
				if err != nil || n == 0 {
					break
				}
				time.Sleep(time.Second)
			}
			if whole := strings.HasSuffix(got.String(), "a 1\n") && got.Len() > 512<<10; whole != c.whole {
				t.Errorf("write timeout %s: got %d bytes, want the whole response: %v", c.write, got.Len(), c.whole)
			}
		})
	}
}

// The time of a slow handler does not count against its client. A handler can extend the deadline, as that of profiles
// does.
func TestSlowHandlerIsNotStalled(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first ")
		if r.URL.Path == "/profile" {
			if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(3 * time.Minute)); err != nil {
				t.Error(err)
			}
			time.Sleep(2 * time.Minute)
		}
		time.Sleep(30 * time.Second)
		_, _ = io.WriteString(w, strings.Repeat("and last ", 1<<14))
	})
	dir := t.TempDir()
	trusted := writeCertificate(t, dir).Transport.(*http.Transport).TLSClientConfig
	for scheme, s := range map[string]Server{
		"http":  {Handler: h, Timeouts: DefaultTimeouts()},
		"https": {Handler: h, Timeouts: DefaultTimeouts(), Config: runConfig(t, writeFile(t, dir, "web.yml", serverTLS))}, // with HTTP/2
	} {
		runOnFakeClock(t, s, func(t *testing.T, p *pipeListener) {
			for _, path := range []string{"/slow", "/profile"} {
				client := p.client(t, "192.0.2.1:4711")
				transport := client.Transport.(*http.Transport)
				transport.ForceAttemptHTTP2, transport.TLSClientConfig = true, trusted.Clone()
				status, text, err := fetch(t, client, scheme+"://example.com"+path)
				if status != http.StatusOK || err != nil || !strings.HasSuffix(text, "last ") {
					t.Errorf("%s %s: got status %d, %d bytes, error %v; want the whole response",
						scheme, path, status, len(text), err)
				}
				client.CloseIdleConnections()
			}
		})
	}
}

// The server reads the rest of a request's body before it responds, although no handler needs one.
func TestEndlessRequestBodyIsCutOff(t *testing.T) {
	h, _ := newHandler(t, &fakeExporter{})
	timeouts := DefaultTimeouts()
	serveOnFakeClock(t, h, timeouts, func(t *testing.T, p *pipeListener) {
		began := time.Now()
		conn := p.dial(t, "192.0.2.66:4711")
		_, _ = io.WriteString(conn, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
		_, _ = io.Copy(io.Discard, conn)
		if took := time.Since(began); took > timeouts.Stall+time.Second {
			t.Errorf("the request ended after %s, want %s", took, timeouts.Stall)
		}
	})
}

func TestIdleConnectionEndsAfterAMinute(t *testing.T) {
	h, _ := newHandler(t, &fakeExporter{})
	serveOnFakeClock(t, h, DefaultTimeouts(), func(t *testing.T, p *pipeListener) {
		conn := p.dial(t, "192.0.2.1:4711")
		_, _ = io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
		began := time.Now()
		response, err := io.ReadAll(conn)
		if took := time.Since(began); took != time.Minute || err != nil || !strings.HasPrefix(string(response), "HTTP/1.1 200") {
			t.Errorf("got %q and the end after %s, error %v; want status 200 and a minute", response, took, err)
		}
	})
}

// rawHTTP2 requests /metrics on many streams of one connection whose window is 0.
func rawHTTP2(conn net.Conn, streams int) {
	frame := func(kind, flags byte, stream int, payload string) {
		_, _ = fmt.Fprintf(conn, "\x00\x00%c", len(payload))
		_, _ = conn.Write([]byte{kind, flags, 0, 0, byte(stream >> 8), byte(stream)})
		_, _ = io.WriteString(conn, payload)
	}
	const settings, headers, endOfBoth, windowSize = 4, 1, 5, "\x00\x04\x00\x00\x00\x00"
	_, _ = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	frame(settings, 0, 0, windowSize)
	for i := range streams {
		frame(headers, endOfBoth, 2*i+1, "\x82\x87\x04\x08/metrics\x01\x01x") // :method GET, :scheme https, :path, :authority
	}
}

func TestHTTP2StreamsWithoutAWindowLeaveASlotForPrometheus(t *testing.T) {
	dir := t.TempDir()
	trusted := writeCertificate(t, dir).Transport.(*http.Transport).TLSClientConfig
	file := writeFile(t, dir, "web.yml", serverTLS)
	e := &fakeExporter{}
	useLongExposition(e)
	h, _ := limitedHandler(t, e, 40) // 20 for one client
	runOnFakeClock(t, Server{Handler: h, Config: runConfig(t, file), Timeouts: DefaultTimeouts()}, func(t *testing.T, p *pipeListener) {
		config := trusted.Clone()
		config.ServerName, config.NextProtos = "example.com", []string{"h2"}
		conn := tls.Client(p.dial(t, "192.0.2.66:4711"), config)
		if err := conn.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		read := make(chan struct{})
		go func() {
			_, _ = io.Copy(io.Discard, conn)
			close(read)
		}()
		rawHTTP2(conn, 60)
		synctest.Wait()
		prometheus := p.client(t, "192.0.2.1:4711")
		prometheus.Transport.(*http.Transport).TLSClientConfig = config.Clone()
		prometheus.Transport.(*http.Transport).TLSClientConfig.NextProtos = nil
		for range 3 {
			if status := scrapeOnce(t, prometheus, "https"); status != http.StatusOK {
				t.Errorf("a scrape: got status %d, want 200", status)
			}
		}
		before := e.released.Load()
		time.Sleep(DefaultTimeouts().Stall + time.Second)
		if after := e.released.Load(); before > 3 || after-before != maxStreams {
			t.Errorf("got %d responses ended before the stall timeout and %d after it, want 0 and %d",
				before-3, after-before, maxStreams)
		}
		_ = conn.Close()
		<-read
	})
}
