// Package fleet runs the exporter's own binary as the processes of a fleet, and reads what they serve.
//
//	replica := fleet.Start(t, "--kubeconfig="+path, "--shard=0", "--total-shards=3")
//	replica.WaitReady(t)
//	page := replica.Scrape(t)
package fleet

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/statefleet/statefleet/test/process"
)

const (
	// Patience is how long a test waits for something that takes a moment: far more than it should take, because the
	// machine may be busy.
	Patience = 2 * time.Minute

	// Tick is how long a test waits before it looks again.
	Tick = 20 * time.Millisecond

	loopback = "127.0.0.1"
)

// Replica is one running process of a fleet. All methods may be called concurrently.
type Replica struct {
	*process.Process
	// URL and Telemetry are the addresses of the main port and of the telemetry port, without a path.
	URL, Telemetry string

	client *http.Client
	token  string
}

// binary names the environment variable with the path of a binary to run in place of this checkout's.
const binary = "STATEFLEET_BINARY"

// Build compiles the exporter, with the race detector if the test runs with it, and returns the binary's path. It does so
// once: all replicas of a test run are the same program, whatever happens to the sources meanwhile.
var Build = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(binary); path != "" {
		return path, nil
	}
	return process.Build("../cmd/statefleet", process.RaceFlags()...)
})

// BuildNextFormat is Build of a version that differs from this one in that its format of the topology is the next one.
var BuildNextFormat = sync.OnceValues(func() (string, error) {
	return process.BuildChanged("../cmd/statefleet", "shard/fleet/format.go", "formatVersion = 1", "formatVersion = 2", process.RaceFlags()...)
})

// Start runs the exporter with the given flags, in addition to those for its ports, until the end of the test. It does not wait
// until the replica is ready. The log of a replica is shown if the test fails.
func Start(t testing.TB, flags ...string) *Replica {
	t.Helper()
	ports, release, err := process.ReservePorts(loopback, 2)
	t.Cleanup(release)
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{
		"--host=" + loopback, "--port=" + strconv.Itoa(ports[0]),
		"--telemetry-host=" + loopback, "--telemetry-port=" + strconv.Itoa(ports[1]),
	}, flags...)
	path, err := Build()
	if err != nil {
		t.Fatal(err)
	}
	r, err := Launch(path, address(ports[0]), address(ports[1]), args)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.End(t, strings.Join(flags, " ")) })
	return r
}

// Launch runs the exporter's binary at a path with flags that make it listen at the given URLs. The caller calls End.
func Launch(path, url, telemetry string, flags []string) (*Replica, error) {
	child, err := process.Start("statefleet", path, flags, nil)
	if err != nil {
		return nil, err
	}
	return &Replica{Process: child, URL: url, Telemetry: telemetry, client: &http.Client{
		Transport: &http.Transport{DisableCompression: true},
		Timeout:   10 * time.Second,
	}}, nil
}

func address(port int) string { return "http://" + net.JoinHostPort(loopback, strconv.Itoa(port)) }

// End stops the process, and shows what it said if the test has failed. The name tells it from others.
func (r *Replica) End(t testing.TB, name string) {
	t.Helper()
	r.client.CloseIdleConnections()
	r.Kill()
	if t.Failed() {
		t.Logf("log of statefleet %s:\n%s", name, r.Log())
	}
	if strings.Contains(r.Log(), "WARNING: DATA RACE") {
		t.Errorf("data race in statefleet %s:\n%s", name, r.Log())
	}
}

// Bearing is the same process to one who shows a token with each request; none if it is empty.
func (r *Replica) Bearing(token string) *Replica {
	return &Replica{Process: r.Process, URL: r.URL, Telemetry: r.Telemetry, client: r.client, token: token}
}

// Answer is what came back for one request, its body already decompressed.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Get requests a URL the way Prometheus does: with gzip, and here asking for the text format.
func (r *Replica) Get(ctx context.Context, url string) (Answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Answer{}, err
	}
	request.Header.Set("Accept", "text/plain;version=0.0.4")
	request.Header.Set("Accept-Encoding", "gzip")
	if r.token != "" {
		request.Header.Set("Authorization", "Bearer "+r.token)
	}
	response, err := r.client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	body, err := readBody(response)
	if err != nil {
		return Answer{}, fmt.Errorf("reading %s: %w", url, err)
	}
	return Answer{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}

func readBody(response *http.Response) (string, error) {
	if response.Header.Get("Content-Encoding") != "gzip" {
		body, err := io.ReadAll(response.Body)
		return string(body), err
	}
	unzipped, err := gzip.NewReader(response.Body)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(unzipped)
	return string(body), err
}

// WaitReady waits until /readyz says that the replica is ready, and ends the test if it never does.
func (r *Replica) WaitReady(t testing.TB) {
	t.Helper()
	Eventually(t, "replica is ready", func(ctx context.Context) error {
		if !r.Running() {
			t.Fatalf("statefleet ended with exit code %d", r.ExitCode())
		}
		answer, err := r.Get(ctx, r.URL+"/readyz")
		if err == nil && answer.Status != http.StatusOK {
			err = fmt.Errorf("/readyz: %d %s", answer.Status, answer.Body)
		}
		return err
	})
}

// Page fetches and parses /metrics of the main port.
func (r *Replica) Page(ctx context.Context) (Page, error) { return r.page(ctx, r.URL+"/metrics") }

// SelfMetrics fetches and parses /metrics of the telemetry port.
func (r *Replica) SelfMetrics(ctx context.Context) (Page, error) {
	return r.page(ctx, r.Telemetry+"/metrics")
}

func (r *Replica) page(ctx context.Context, url string) (Page, error) {
	answer, err := r.Get(ctx, url)
	if err != nil {
		return Page{}, err
	}
	if answer.Status != http.StatusOK {
		return Page{}, fmt.Errorf("%s: %d %s", url, answer.Status, answer.Body)
	}
	return Parse(strings.NewReader(answer.Body))
}

// Scrape is Page for a test that cannot go on without it.
func (r *Replica) Scrape(t testing.TB) Page {
	t.Helper()
	page, err := r.Page(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// UnionOf scrapes all replicas and takes their pages together.
func UnionOf(ctx context.Context, replicas []*Replica) (Page, error) {
	pages := make([]Page, 0, len(replicas))
	for i, replica := range replicas {
		page, err := replica.Page(ctx)
		if err != nil {
			return Page{}, fmt.Errorf("replica %d: %w", i, err)
		}
		pages = append(pages, page)
	}
	return Union(pages...)
}

// Eventually calls try until it returns nil, and ends the test with its last error if it does not within Patience.
func Eventually(t testing.TB, what string, try func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	last := errors.New("never tried")
	for {
		err := try(ctx)
		if err == nil {
			return
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			last = err
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not within %s: %s: %v", Patience, what, last)
		case <-time.After(Tick):
		}
	}
}
