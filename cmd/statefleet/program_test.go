package main

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

const patience = 30 * time.Second

// program is a run of statefleet within the test.
type program struct {
	metrics, telemetry string // addresses
	log                lockedBuffer
	stop               context.CancelFunc
	ended              chan int
	client             http.Client
}

// lockedBuffer is a buffer that may be written and read at once.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs statefleet on ports of its own choice until the test ends, and waits until it listens.
func start(t *testing.T, args ...string) *program {
	t.Helper()
	p := &program{ended: make(chan int, 1), client: http.Client{Timeout: patience, Transport: &http.Transport{}}}
	ctx, stop := context.WithCancel(t.Context())
	p.stop = stop
	args = append([]string{"--host=127.0.0.1", "--port=0", "--telemetry-host=127.0.0.1", "--telemetry-port=0"}, args...)
	go func() { p.ended <- run(ctx, args, io.Discard, &p.log) }()
	t.Cleanup(func() { p.end(t) })
	p.metrics, p.telemetry = p.address(t, "metrics"), p.address(t, "telemetry")
	return p
}

// address reads from the log where a server listens.
func (p *program) address(t *testing.T, server string) string {
	t.Helper()
	line := regexp.MustCompile(`msg="Listening on" server=` + server + ` address=(\S+)`)
	var found []string
	eventually(t, server+" server listens", func() bool {
		found = line.FindStringSubmatch(p.log.String())
		return found != nil
	})
	return found[1]
}

// end stops the program, which must succeed. Only the first call does something.
func (p *program) end(t *testing.T) {
	t.Helper()
	p.stop()
	p.client.CloseIdleConnections()
	if p.ended == nil {
		return
	}
	select {
	case code := <-p.ended:
		p.ended = nil
		if code != exitOK || t.Failed() {
			t.Errorf("ended with status %d; its log:\n%s", code, p.log.String())
		}
	case <-time.After(patience):
		t.Errorf("does not end; its log:\n%s", p.log.String())
	}
}

// get returns the status and body of a page.
func (p *program) get(t *testing.T, address, path string) (int, string) {
	t.Helper()
	status, text, err := p.fetch(t.Context(), "http://"+address+path)
	if err != nil {
		t.Fatal(err)
	}
	return status, text
}

func (p *program) fetch(ctx context.Context, url string) (status int, text string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	b, err := io.ReadAll(response.Body)
	return response.StatusCode, string(b), err
}

// page waits until the program is ready and returns the sample lines of its page, sorted.
func (p *program) page(t *testing.T) []string {
	t.Helper()
	eventually(t, "ready", func() bool {
		status, _ := p.get(t, p.metrics, "/readyz")
		return status == http.StatusOK
	})
	status, text := p.get(t, p.metrics, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, text)
	}
	return sampleLines(text)
}

func sampleLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

// samples are the sample lines of a page, sorted, for pages to be compared.
func samples(text string) string { return strings.Join(sampleLines(text), "") }

// serveAPI serves an API that is bent until the test ends, and returns the flag that leads there.
func serveAPI(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return "--apiserver=" + s.URL
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
	}
}

// cluster is a small simulated cluster and the flag that leads there.
func cluster(t *testing.T) (*simulator.Cluster, string) {
	t.Helper()
	c := simulator.New(simulator.Options{Seed: 1})
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

func count(lines []string, prefix string) int {
	n := 0
	for _, l := range lines {
		if strings.HasPrefix(l, prefix) {
			n++
		}
	}
	return n
}
