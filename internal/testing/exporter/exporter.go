// Package exporter runs an exporter inside a test and reads its expositions.
package exporter

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

// Timeout is the time limit of every wait and request.
const Timeout = 60 * time.Second

// Exporter is a running exporter. Methods with a parameter t fail the test on errors.
type Exporter struct {
	Metrics, Telemetry string // addresses
	Log                Buffer
	Client             http.Client
	stop               context.CancelFunc
	ended              chan error
}

// Buffer is a bytes.Buffer that is safe for concurrent use.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements [io.Writer].
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String returns everything written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// New returns an Exporter whose process or function the caller runs. Its log must be written to Log.
func New() *Exporter {
	return &Exporter{Client: http.Client{Timeout: Timeout, Transport: &http.Transport{}}}
}

// Start runs an exporter until the test ends, with these arguments and on free ports. It waits
// until the exporter listens.
func Start(t *testing.T, run func(ctx context.Context, args []string, stderr io.Writer) error,
	args ...string) *Exporter {
	t.Helper()
	e := New()
	e.ended = make(chan error, 1)
	var ctx context.Context
	ctx, e.stop = context.WithCancel(t.Context())
	args = append([]string{"--host=127.0.0.1", "--port=0", "--telemetry-host=127.0.0.1", "--telemetry-port=0"}, args...)
	go func() { e.ended <- run(ctx, args, &e.Log) }()
	t.Cleanup(func() { e.End(t) })
	e.Listen(t)
	return e
}

// Listen waits until the exporter listens, and reads the addresses from the log.
func (e *Exporter) Listen(t *testing.T) {
	t.Helper()
	for server, address := range map[string]*string{"metrics": &e.Metrics, "telemetry": &e.Telemetry} {
		line := regexp.MustCompile(`msg="Listening on" server=` + server + ` address=(\S+)`)
		Eventually(t, server+" server listens", func() bool {
			found := line.FindStringSubmatch(e.Log.String())
			if found != nil {
				*address = found[1]
			}
			return found != nil
		})
	}
}

// End stops the exporter. The test fails if the exporter returns an error. Further calls do nothing.
func (e *Exporter) End(t *testing.T) {
	t.Helper()
	e.stop()
	e.Wait(t)
}

// Wait waits until the exporter ends. The test fails if the exporter returns an error. Further calls
// do nothing.
func (e *Exporter) Wait(t *testing.T) {
	t.Helper()
	e.Client.CloseIdleConnections()
	if e.ended == nil {
		return
	}
	select {
	case err := <-e.ended:
		e.ended = nil
		if err != nil || t.Failed() {
			t.Errorf("exporter ended with error %v; log:\n%s", err, e.Log.String())
		}
	case <-time.After(Timeout):
		t.Errorf("exporter did not end within %s; log:\n%s", Timeout, e.Log.String())
	}
}

// Get returns the status and body of a response.
func (e *Exporter) Get(t *testing.T, address, path string) (status int, body string) {
	t.Helper()
	status, body, err := e.Fetch(t.Context(), "http://"+address+path)
	if err != nil {
		t.Fatal(err)
	}
	return status, body
}

// Fetch returns the status and body of a response. Unlike the other methods, it may be called from
// any goroutine.
func (e *Exporter) Fetch(ctx context.Context, url string) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := e.Client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	b, err := io.ReadAll(response.Body)
	return response.StatusCode, string(b), err
}

// Ready waits until the exporter is ready.
func (e *Exporter) Ready(t *testing.T) {
	t.Helper()
	Eventually(t, "ready", func() bool {
		status, _ := e.Get(t, e.Metrics, "/readyz")
		return status == http.StatusOK
	})
}

// Samples waits until the exporter is ready and returns the sample lines of its exposition, sorted.
func (e *Exporter) Samples(t *testing.T) []string {
	t.Helper()
	e.Ready(t)
	status, text := e.Get(t, e.Metrics, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("/metrics: got status %d, want 200: %s", status, text)
	}
	return Lines(text)
}

// Lines returns the sample lines of an exposition, sorted.
func Lines(exposition string) []string {
	var lines []string
	for line := range strings.Lines(exposition) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

// Count returns how many lines begin with the prefix.
func Count(lines []string, prefix string) int {
	n := 0
	for _, l := range lines {
		if strings.HasPrefix(l, prefix) {
			n++
		}
	}
	return n
}

// Eventually polls until ok returns true. After Timeout, the test fails.
func Eventually(t *testing.T, condition string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Timeout); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("condition not met within %s: %s", Timeout, condition)
		}
	}
}

// ServeAPI serves an API until the test ends, and returns the flag --apiserver with its URL.
func ServeAPI(t *testing.T, h http.Handler) (flag string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return "--apiserver=" + s.URL
}

// Cluster returns a small simulated cluster and the flag --apiserver with its URL.
func Cluster(t *testing.T) (c *simulator.Cluster, flag string) {
	t.Helper()
	c = simulator.New(simulator.Options{Seed: 1})
	if err := c.Populate(generator.Scale(60).Objects()); err != nil {
		t.Fatal(err)
	}
	server, err := c.Serve("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return c, "--apiserver=" + server.URL()
}
