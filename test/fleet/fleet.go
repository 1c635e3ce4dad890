// Package fleet runs the exporter's binary as the processes of a fleet under test.
//
//	replica := fleet.Start(t, "--kubeconfig="+path, "--shard=0", "--total-shards=3")
//	replica.WaitReady(t)
//	metrics := replica.Scrape(t)
package fleet

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/statefleet/statefleet/benchmarks/exposition"
	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// DefaultTimeout is how long a test waits for a condition by default.
const DefaultTimeout = fleet.DefaultTimeout

// Tick is the time between two checks of a condition.
const Tick = 20 * time.Millisecond

// Replica is one running process of a fleet. All methods may be called concurrently.
type Replica struct{ *fleet.Replica }

// binary is the environment variable with the path of a binary to run instead of one that is built from this checkout.
const binary = "STATEFLEET_BINARY"

// Build compiles the exporter and returns the path of the binary. It uses the race detector if the test does. It
// compiles only once, so that all replicas of a test run the same binary even if the source changes meanwhile. It may
// be called concurrently.
var Build = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(binary); path != "" {
		return path, nil
	}
	return fleet.Build(fleet.Statefleet, fleet.RaceFlags()...)
})

// BuildNextFormat compiles a version of the exporter with the next format of the topology.
var BuildNextFormat = sync.OnceValues(func() (string, error) {
	return fleet.BuildChanged(fleet.Statefleet, "shard/fleet/format.go", "formatVersion = 1", "formatVersion = 2", fleet.RaceFlags()...)
})

// Start runs the exporter with flags in addition to those for its ports, until the end of the test. It does not wait
// until the replica is ready. If the test fails, it prints the log of the replica.
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

// Launch runs the exporter's binary at a path with flags that make it listen at the given URLs. The caller calls End.
func Launch(path, url, telemetry string, flags []string) (*Replica, error) {
	r, err := fleet.Launch("statefleet", path, url, telemetry, flags)
	if err != nil {
		return nil, err
	}
	r.Client.Timeout = 10 * time.Second
	return &Replica{r}, nil
}

// End kills the process, and prints its log if the test has failed. It fails the test if the log reports a data race.
// The name identifies the replica in the output.
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

// Bearing returns the same process for a client that sends a token with each request.
func (r *Replica) Bearing(token string) *Replica {
	other := *r.Replica
	other.Token = token
	return &Replica{&other}
}

// WaitReady waits until /readyz reports that the replica is ready. It fails the test if that takes longer than
// DefaultTimeout.
func (r *Replica) WaitReady(t testing.TB) {
	t.Helper()
	Eventually(t, "replica is ready", func(ctx context.Context) error {
		if err := r.Ended(); err != nil {
			return err
		}
		return r.Ask(ctx, "/readyz")
	})
}

// Scrape returns the exposition of the replica. It fails the test on an error.
func (r *Replica) Scrape(t testing.TB) exposition.Exposition {
	t.Helper()
	metrics, err := r.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return metrics
}

// Eventually calls try until it returns nil. It fails the test with the last error if that takes longer than DefaultTimeout.
// what names the condition in the error.
func Eventually(t testing.TB, what string, try func(ctx context.Context) error) {
	t.Helper()
	if err := fleet.Until(t.Context(), DefaultTimeout, what, try); err != nil {
		t.Fatal(err)
	}
}
