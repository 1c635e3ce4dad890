// Package fleet runs the exporter's own binary as the processes of a fleet under test.
//
//	replica := fleet.Start(t, "--kubeconfig="+path, "--shard=0", "--total-shards=3")
//	replica.WaitReady(t)
//	page := replica.Scrape(t)
package fleet

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/statefleet/statefleet/benchmarks/exposition"
	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// Patience is how long a test waits for something that takes a moment.
const Patience = fleet.Patience

// Tick is how long a test waits before it looks again.
const Tick = 20 * time.Millisecond

// Replica is one running process of a fleet. All methods may be called concurrently.
type Replica struct{ *fleet.Replica }

// binary names the environment variable with the path of a binary to run in place of this checkout's.
const binary = "STATEFLEET_BINARY"

// Build compiles the exporter, with the race detector if the test runs with it, and returns the
// binary's path. It does so once: all replicas of a test run are the same program, whatever happens to
// the sources meanwhile.
var Build = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(binary); path != "" {
		return path, nil
	}
	return fleet.Build(fleet.Statefleet, fleet.RaceFlags()...)
})

// BuildNextFormat is Build of a version whose format of the topology is the next one.
var BuildNextFormat = sync.OnceValues(func() (string, error) {
	return fleet.BuildChanged(fleet.Statefleet, "shard/fleet/format.go", "formatVersion = 1", "formatVersion = 2", fleet.RaceFlags()...)
})

// Start runs the exporter with flags in addition to those for its ports, until the end of the test. It
// does not wait until the replica is ready. The log of a replica is shown if the test fails.
func Start(t testing.TB, flags ...string) *Replica {
	t.Helper()
	ports, release, err := fleet.ReservePorts(fleet.Loopback, 2)
	t.Cleanup(release)
	if err != nil {
		t.Fatal(err)
	}
	path, err := Build()
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{
		"--host=" + fleet.Loopback, "--port=" + strconv.Itoa(ports[0]),
		"--telemetry-host=" + fleet.Loopback, "--telemetry-port=" + strconv.Itoa(ports[1]),
	}, flags...)
	r, err := Launch(path, fleet.Address(ports[0]), fleet.Address(ports[1]), args)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.End(t, strings.Join(flags, " ")) })
	return r
}

// Launch runs the exporter's binary at a path with flags that make it listen at the given URLs. The
// caller calls End.
func Launch(path, url, telemetry string, flags []string) (*Replica, error) {
	r, err := fleet.Launch("statefleet", path, url, telemetry, flags)
	if err != nil {
		return nil, err
	}
	r.Client.Timeout = 10 * time.Second
	return &Replica{r}, nil
}

// End stops the process, and shows its log if the test has failed. The name distinguishes it from others.
func (r *Replica) End(t testing.TB, name string) {
	t.Helper()
	r.Kill()
	if t.Failed() {
		t.Logf("log of statefleet %s:\n%s", name, r.Log())
	}
	if strings.Contains(r.Log(), "WARNING: DATA RACE") {
		t.Errorf("data race in statefleet %s:\n%s", name, r.Log())
	}
}

// Bearing is the same process for a client that sends a token with each request.
func (r *Replica) Bearing(token string) *Replica {
	other := *r.Replica
	other.Token = token
	return &Replica{&other}
}

// WaitReady waits until /readyz says that the replica is ready, and ends the test if it never does.
func (r *Replica) WaitReady(t testing.TB) {
	t.Helper()
	Eventually(t, "replica is ready", func(ctx context.Context) error {
		if err := r.Ended(); err != nil {
			return err
		}
		return r.Ask(ctx, "/readyz")
	})
}

// Scrape is Page for a test that cannot go on without it.
func (r *Replica) Scrape(t testing.TB) exposition.Page {
	t.Helper()
	page, err := r.Page(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// UnionOf scrapes all replicas and joins their pages.
func UnionOf(ctx context.Context, replicas []*Replica) (exposition.Page, error) {
	pages := make([]exposition.Page, 0, len(replicas))
	for i, replica := range replicas {
		page, err := replica.Page(ctx)
		if err != nil {
			return exposition.Page{}, fmt.Errorf("replica %d: %w", i, err)
		}
		pages = append(pages, page)
	}
	return exposition.Union(pages...)
}

// Eventually calls try until it returns nil, and ends the test with its last error if it does not in time.
func Eventually(t testing.TB, what string, try func(ctx context.Context) error) {
	t.Helper()
	if err := fleet.Until(t.Context(), Patience, what, try); err != nil {
		t.Fatal(err)
	}
}
