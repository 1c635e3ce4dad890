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

const patience = 20 * time.Second

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
	case <-time.After(patience):
		t.Fatal("the server does not end")
		return nil
	}
}

// fetch returns what a URL answers.
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
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
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
			t.Errorf("%s: %d %q %v", address, status, text, err)
		}
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Errorf("end: %v", err)
	}
	if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.addresses[0]); err == nil {
		t.Error("the listener is still open")
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

// gatedPage stops half-way until it is let go.
type gatedPage struct {
	fakePage
	half, proceed chan struct{}
}

func (p *gatedPage) WriteText(w io.Writer) error {
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
	page := &gatedPage{fakePage{text, &e.released}, make(chan struct{}), make(chan struct{})}
	e.replace = page
	h, _ := newHandler(t, e)
	r := start(t, Server{Handler: h, Timeouts: Timeouts{Grace: patience}}, 1)
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
	<-page.half
	r.stop()
	select {
	case err := <-r.ended:
		t.Fatalf("ended before the answer: %v", err)
	default:
	}
	close(page.proceed)
	if g := <-got; g.err != nil || !strings.HasSuffix(g.text, string(text)) {
		t.Errorf("got %d bytes of %d, %v", len(g.text), len(text), g.err)
	}
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
}

// dial opens a connection and asks for the uncompressed page without reading the answer.
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

// hugePage is more than the buffers of any connection hold.
type hugePage struct {
	fakePage
	begun chan struct{} // gets a value as each write begins
}

const hugeSize = 1 << 30

func (*hugePage) Size() int64 { return hugeSize }

func (p *hugePage) WriteText(w io.Writer) error {
	p.begun <- struct{}{}
	block := bytes.Repeat([]byte("a 1\n"), 1<<18)
	for n := 0; n < hugeSize; n += len(block) {
		if _, err := w.Write(block); err != nil {
			return err
		}
	}
	return errors.New("no reader should read all of this")
}

func TestSlowClientDoesNotBlockOthersAndIsCutOff(t *testing.T) {
	e := &fakeExporter{}
	page := &hugePage{fakePage{released: &e.released}, make(chan struct{}, 1)}
	e.replace = page
	registry := prometheus.NewRegistry()
	h, err := Handler(e, registry, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, Server{Handler: h, Timeouts: Timeouts{Write: 2 * time.Second}}, 1)
	dial(t, r.addresses[0]) // and never reads
	<-page.begun
	status, _, err := r.get(t, r.addresses[0], "/readyz")
	if status != 200 || err != nil {
		t.Errorf("another client: %d, %v", status, err)
	}
	for deadline := time.Now().Add(patience); e.released.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the slow client is never cut off")
		}
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(registry, "statefleet_scrape_duration_seconds"); n != 0 || err != nil {
		t.Errorf("a page that was cut off is among the whole ones: %d, %v", n, err)
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
			t.Errorf("without a password: %d, %v", status, err)
		}
		if status, text, err := r.get(t, "ali:open%20sesame@"+address, "/metrics"); status != 200 || !strings.Contains(text, "kube_pod_info") {
			t.Errorf("with the password: %d, %v", status, err)
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
		t.Error("valid")
	}
}
