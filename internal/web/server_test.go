package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

const testTimeout = 20 * time.Second

// running is a server under test.
type running struct {
	addresses []string
	stop      context.CancelFunc
	ended     chan error
}

// start runs a server on n loopback addresses until the test ends.
func start(t *testing.T, s Server, n int) *running {
	t.Helper()
	r := &running{ended: make(chan error, 1)}
	for range n {
		l := listen(t)
		s.Listeners = append(s.Listeners, l)
		r.addresses = append(r.addresses, l.Addr().String())
	}
	s.Logger = quiet()
	if s.Metrics == nil {
		s.Metrics = serverMetrics(t)
	}
	ctx, stop := context.WithCancel(t.Context())
	r.stop = stop
	go func() { r.ended <- s.Run(ctx) }()
	t.Cleanup(stop)
	return r
}

func serverMetrics(t *testing.T) *ServerMetrics {
	t.Helper()
	m, err := NewServerMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// runConfig loads a web configuration file and reloads it until the test ends.
func runConfig(t *testing.T, file string) *ConfigFile {
	t.Helper()
	config, err := LoadConfigFile(file, false, prometheus.NewRegistry(), quiet())
	if err != nil {
		t.Fatal(err)
	}
	go config.Run(t.Context())
	return config
}

func (r *running) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.ended:
		return err
	case <-time.After(testTimeout):
		t.Fatalf("the server has not ended after %s", testTimeout)
		return nil
	}
}

// fetch sends a GET request and returns the response.
func fetch(t *testing.T, client *http.Client, url string) (status int, text string, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = r.Body.Close() }()
	b, err := io.ReadAll(r.Body)
	return r.StatusCode, string(b), err
}

// get fetches a path over a connection of its own.
func (r *running) get(t *testing.T, address, path string) (status int, text string, err error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: testTimeout}
	return fetch(t, client, "http://"+address+path)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestServerOnSeveralListeners(t *testing.T) {
	h, _ := newHandler(t, &fakeExporter{})
	r := start(t, Server{Handler: h, Timeouts: DefaultTimeouts()}, 2)
	for _, address := range r.addresses {
		if status, text, err := r.get(t, address, "/metrics"); status != 200 || !strings.Contains(text, "kube_pod_info") {
			t.Errorf("%s: got status %d, %q, error %v; want the exposition", address, status, text, err)
		}
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.addresses[0]); err == nil {
		t.Error("the listener is open after the server has ended")
	}
}

func TestServerEndsWhenOneListenerFails(t *testing.T) {
	h, _ := newHandler(t, &fakeExporter{})
	l := listen(t)
	_ = l.Close()
	r := start(t, Server{Listeners: []net.Listener{l}, Handler: h, Timeouts: DefaultTimeouts()}, 1)
	if err := r.wait(t); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("got %v, want an error that names %s", err, l.Addr())
	}
}

// gatedSnapshot is an exposition whose write blocks half-way until proceed is closed.
type gatedSnapshot struct {
	fakeSnapshot
	half, proceed chan struct{}
}

func (p *gatedSnapshot) WriteText(w io.Writer) error {
	if _, err := w.Write(p.text[:len(p.text)/2]); err != nil {
		return err
	}
	close(p.half)
	<-p.proceed
	_, err := w.Write(p.text[len(p.text)/2:])
	return err
}

func TestShutdownFinishesResponses(t *testing.T) {
	e := &fakeExporter{}
	text := bytes.Repeat([]byte("a 1\n"), 64<<10)
	snapshot := &gatedSnapshot{fakeSnapshot{text, &e.released}, make(chan struct{}), make(chan struct{})}
	e.replace = snapshot
	h, _ := newHandler(t, e)
	r := start(t, Server{Handler: h, Timeouts: Timeouts{Grace: testTimeout}}, 1)
	type result struct {
		text string
		err  error
	}
	got := make(chan result, 1)
	conn := dial(t, r.addresses[0])
	go func() {
		b, err := io.ReadAll(conn)
		got <- result{string(b), err}
	}()
	<-snapshot.half
	r.stop()
	select {
	case err := <-r.ended:
		t.Fatalf("the server ended before the response: %v", err)
	default:
	}
	close(snapshot.proceed)
	if g := <-got; g.err != nil || !strings.HasSuffix(g.text, string(text)) {
		t.Errorf("got %d bytes, error %v; want all %d bytes of the body", len(g.text), g.err, len(text))
	}
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
}

// dial opens a connection and requests the uncompressed exposition without reading the response.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return conn
}

// hugeSnapshot is an exposition that exceeds the buffers of any connection.
type hugeSnapshot struct {
	fakeSnapshot
	begun chan struct{} // receives a value when a write begins
}

const hugeSize = 1 << 30

func (*hugeSnapshot) Size() int64 { return hugeSize }

func (p *hugeSnapshot) WriteText(w io.Writer) error {
	p.begun <- struct{}{}
	block := bytes.Repeat([]byte("a 1\n"), 1<<18)
	for n := 0; n < hugeSize; n += len(block) {
		if _, err := w.Write(block); err != nil {
			return err
		}
	}
	return errors.New("the client read the whole exposition")
}

func TestSlowClientDoesNotBlockOthersAndIsCutOff(t *testing.T) {
	e := &fakeExporter{}
	snapshot := &hugeSnapshot{fakeSnapshot{released: &e.released}, make(chan struct{}, 1)}
	e.replace = snapshot
	registry := prometheus.NewRegistry()
	h, err := Handler(e, registry, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, Server{Handler: h, Timeouts: Timeouts{Write: 2 * time.Second}}, 1)
	dial(t, r.addresses[0]) // never reads
	<-snapshot.begun
	status, _, err := r.get(t, r.addresses[0], "/readyz")
	if status != 200 || err != nil {
		t.Errorf("another client: got status %d, error %v; want 200", status, err)
	}
	for deadline := time.Now().Add(testTimeout); e.released.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the slow client is not cut off")
		}
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(registry, "statefleet_scrape_duration_seconds"); n != 0 || err != nil {
		t.Errorf("got %d durations of complete scrapes, error %v; want none: the scrape was cut off", n, err)
	}
}

// webConfig holds one user.
const webConfig = "basic_auth_users:\n  ali: $2a$04$kCdomzmhrpgXaQcic21oTOCYBjDLqcwk4SwRfGJ9J1I4XBqbEr5f6 # open sesame\n"

func TestBasicAuthenticationFromTheConfigurationFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(file, []byte(webConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	config := runConfig(t, file)
	h, _ := newHandler(t, &fakeExporter{})
	r := start(t, Server{Handler: h, Config: config, Timeouts: DefaultTimeouts()}, 2)
	for _, address := range r.addresses {
		if status, _, err := r.get(t, address, "/metrics"); status != http.StatusUnauthorized {
			t.Errorf("without a password: got status %d, error %v; want 401", status, err)
		}
		if status, text, err := r.get(t, "ali:open%20sesame@"+address, "/metrics"); status != 200 || !strings.Contains(text, "kube_pod_info") {
			t.Errorf("with the password: got status %d, error %v; want the exposition", status, err)
		}
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
}

func TestBrokenConfigurationFileIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "web.yml")
	if err := os.WriteFile(file, []byte("no_such_key: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadConfigFile(file, false, prometheus.NewRegistry(), quiet()); err == nil {
		t.Error("a file with an unknown key gives no error")
	}
}
