package replica

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/statefleet/statefleet/internal/testing/faults"
	"github.com/statefleet/statefleet/shard"
)

// convergeIn is how long expositions may take to equal the cluster's state once faults have ended.
const convergeIn = 90 * time.Second

// stepCount returns how many changes a scenario makes; STATEFLEET_STEPS overrides it.
func stepCount() int { return envInt("STATEFLEET_STEPS", 1500) }

// envInt returns the number in an environment variable, or a default that -short divides by three.
func envInt(variable string, fallback int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	if testing.Short() {
		return max(1, fallback/3)
	}
	return fallback
}

func seed(t *testing.T) uint64 {
	s := rand.Uint64N(1 << 32)
	if given, err := strconv.ParseUint(os.Getenv("STATEFLEET_SEED"), 10, 64); err == nil {
		s = given
	}
	t.Logf("STATEFLEET_SEED=%d", s)
	return s
}

// report is a line in the table of scenarios.
type report struct {
	name                  string
	seed                  uint64
	runs, steps, injected int
	worst                 time.Duration // longest time to converge
}

// write logs the report when the test ends, and appends it to the file that STATEFLEET_FAULTS
// names.
func (o *report) write(t *testing.T) {
	violations := 0
	if t.Failed() {
		violations = 1 // the first violation ends the scenario
	}
	line := fmt.Sprintf("%-18s | simulated | %10d | %4d | %8d | %7d | %10d | %s", o.name, o.seed, o.runs, o.steps, o.injected, violations, o.worst.Round(time.Millisecond))
	t.Log(line)
	path := os.Getenv("STATEFLEET_FAULTS")
	if path == "" {
		return
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // the user of the test names it
	if err == nil {
		_, err = file.WriteString(line + "\n")
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		t.Error(err)
	}
}

// injectedFaults returns the number of injected faults.
func injectedFaults(counts map[faults.Fault]int) (n int) {
	for _, count := range counts {
		n += count
	}
	return n
}

// TestEachFault injects one kind of fault at a time into a third of all requests, and then all
// kinds together. STATEFLEET_RUNS repeats each of them.
func TestEachFault(t *testing.T) {
	for _, f := range append(faults.All(), "all") {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			o := &report{name: string(f), seed: seed(t)}
			defer o.write(t)
			for run := range envInt("STATEFLEET_RUNS", 1) {
				o.runs++
				t.Run(strconv.Itoa(run), func(t *testing.T) { runFault(t, f, o.seed+uint64(run), o) })
			}
		})
	}
}

// runFault runs the scenario of one fault.
func runFault(t *testing.T, f faults.Fault, seed uint64, o *report) {
	c := newRecordedCluster(t, seed)
	c.injector.Unstreamed(f == faults.Stale || f == faults.ExpiredPage) // faults of lists in pages
	w := c.startAudited(1, func(o *Options) { o.UseAPIServerCache = f == faults.Stale })
	plan := shard.Plan{Ordinal: 0, Active: 1, Target: 1}
	if f == faults.Unsharded {
		plan = shard.Plan{Ordinal: 0, Active: 2, Target: 2}
	}
	w.Follow(plan)
	w.waitReady()
	w.expect(plan, nil)
	injected := []faults.Fault{f}
	if f == "all" {
		injected = faults.All()
	}
	c.injector.SetFaults(1.0/3, injected...)
	for turn := 0; turn == 0 || turn < 60 && neverInjected(f, c.injector.Counts()); turn++ {
		c.churn(stepCount(), w)
	}
	c.injector.SetFaults(0)
	c.cluster.CloseWatches()
	took := c.converge(w)
	counts := c.injector.Counts()
	if neverInjected(f, counts) {
		t.Errorf("the fault was never injected: %v", counts)
	}
	t.Logf("%d changes, %v, converged in %s", c.steps, counts, took.Round(time.Millisecond))
	o.steps += c.steps
	o.injected += injectedFaults(counts)
	o.worst = max(o.worst, took)
}

// neverInjected reports whether the fault of a scenario was not injected. For "all", half of the faults suffice.
func neverInjected(f faults.Fault, counts map[faults.Fault]int) bool {
	if f == "all" {
		return len(counts) < len(faults.All())/2
	}
	return counts[f] == 0
}

// TestFleetThroughFaults reshards a fleet, makes standbys serve, reloads configurations and restarts
// replicas, while faults are injected.
func TestFleetThroughFaults(t *testing.T) {
	t.Parallel()
	o := &report{name: "fleet-all", seed: seed(t), runs: 1}
	defer o.write(t)
	c := newRecordedCluster(t, o.seed)
	f := c.startFleet(3)
	c.injector.SetFaults(0.2, faults.All()...)
	f.stale = true
	for range 6 {
		f.change()
		c.churn(stepCount()/4, f.serving()...)
	}
	f.restartUntilResumed()
	c.injector.SetFaults(0)
	c.cluster.CloseWatches()
	o.steps, o.injected, o.worst = c.steps, injectedFaults(c.injector.Counts()), c.converge(f.serving()...)
	f.requireCoverage()
	if o.injected == 0 {
		t.Error("no fault was injected")
	}
}

// TestRandomSteps changes the cluster and the fleet at random, without faults. The long form sets
// STATEFLEET_STEPS=1000000.
func TestRandomSteps(t *testing.T) {
	t.Parallel()
	o := &report{name: "random-steps", seed: seed(t), runs: 1}
	defer o.write(t)
	c := newRecordedCluster(t, o.seed)
	f := c.startFleet(3)
	for next, end := 0, envInt("STATEFLEET_STEPS", 4000); c.steps < end || next < 6; next++ {
		f.change()
		c.churn(200+c.random.IntN(min(end, 2000)), f.serving()...)
		if next%10 == 0 {
			o.worst = max(o.worst, c.converge(f.serving()...))
		}
	}
	f.restartUntilResumed()
	o.worst = max(o.worst, c.converge(f.serving()...))
	o.steps = c.steps
	f.requireCoverage()
}

// TestFaultsAreDocumented checks that docs/reliability.md explains each fault.
func TestFaultsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults.All() {
		if !strings.Contains(string(text), "`"+string(f)+"`") {
			t.Errorf("docs/reliability.md does not mention fault %s", f)
		}
	}
}
