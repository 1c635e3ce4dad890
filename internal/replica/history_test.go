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

// convergeIn bounds how long pages may take to be true again once nothing goes
// wrong any more.
const convergeIn = 90 * time.Second

// steps is how many changes a scenario makes; STATEFLEET_STEPS asks for more.
func steps() int { return number("STATEFLEET_STEPS", 1500) }

func number(variable string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	if testing.Short() {
		return max(1, otherwise/3)
	}
	return otherwise
}

func seed(t *testing.T) uint64 {
	s := rand.Uint64N(1 << 32)
	if given, err := strconv.ParseUint(os.Getenv("STATEFLEET_SEED"), 10, 64); err == nil {
		s = given
	}
	t.Logf("STATEFLEET_SEED=%d", s)
	return s
}

// report is one line of the table of scenarios.
type report struct {
	name                string
	seed                uint64
	runs, steps, struck int
	worst               time.Duration // until the pages were true again
}

// tell logs the report when the test ends, and adds it to the file that
// STATEFLEET_FAULTS names.
func (o *report) tell(t *testing.T) {
	violations := 0
	if t.Failed() {
		violations = 1 // the first one ends the scenario
	}
	line := fmt.Sprintf("%-18s | simulated | %10d | %4d | %8d | %7d | %10d | %s", o.name, o.seed, o.runs, o.steps, o.struck, violations, o.worst.Round(time.Millisecond))
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

func struck(counts map[faults.Fault]int) (n int) {
	for _, count := range counts {
		n += count
	}
	return n
}

// TestEachFault has one kind of fault at a time strike a third of all requests, and
// then all kinds together. STATEFLEET_RUNS has each of them run several times.
func TestEachFault(t *testing.T) {
	for _, f := range append(faults.All(), "all") {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			o := &report{name: string(f), seed: seed(t)}
			defer o.tell(t)
			for run := range number("STATEFLEET_RUNS", 1) {
				o.runs++
				t.Run(strconv.Itoa(run), func(t *testing.T) { strike(t, f, o.seed+uint64(run), o) })
			}
		})
	}
}

func strike(t *testing.T, f faults.Fault, seed uint64, o *report) {
	c := newChronicle(t, seed)
	c.injector.Unstreamed(f == faults.Stale || f == faults.ExpiredPage) // which are for lists
	w := c.witness(1, func(o *Options) { o.UseAPIServerCache = f == faults.Stale })
	plan := shard.Plan{Ordinal: 0, Active: 1, Target: 1}
	if f == faults.Unsharded {
		plan = shard.Plan{Ordinal: 0, Active: 2, Target: 2}
	}
	w.Follow(plan)
	w.waitReady()
	w.reads(plan, nil)
	list := []faults.Fault{f}
	if f == "all" {
		list = faults.All()
	}
	c.injector.SetFaults(1.0/3, list...)
	for turn := 0; turn == 0 || turn < 20 && missed(f, c.injector.Counts()); turn++ {
		c.live(steps(), w)
	}
	c.injector.SetFaults(0)
	c.cluster.CloseWatches()
	took := c.converge(w)
	counts := c.injector.Counts()
	if missed(f, counts) {
		t.Errorf("it never struck: %v", counts)
	}
	t.Logf("%d changes, %v, converged in %s", c.steps, counts, took.Round(time.Millisecond))
	o.steps += c.steps
	o.struck += struck(counts)
	o.worst = max(o.worst, took)
}

// missed reports whether what a scenario is about has not happened.
func missed(f faults.Fault, counts map[faults.Fault]int) bool {
	if f == "all" {
		return len(counts) < len(faults.All())/2
	}
	return counts[f] == 0
}

func TestAPIServerThatIsAway(t *testing.T) {
	t.Parallel()
	o := &report{name: "away", seed: seed(t), runs: 1}
	defer o.tell(t)
	c := newChronicle(t, o.seed)
	w := c.witness(0, nil)
	plan := shard.Plan{Active: 1, Target: 1}
	w.Follow(plan)
	w.waitReady()
	w.reads(plan, nil)
	c.converge(w)
	for range 3 {
		c.injector.SetUnavailable(true)
		c.server.CloseClientConnections()
		c.live(steps(), w) // events that no watch brings
		if w.Serves() != nil {
			t.Error("what is known is not served any more")
		}
		c.injector.SetUnavailable(false)
		o.struck++
		o.worst = max(o.worst, c.converge(w))
	}
	o.steps = c.steps
}

// TestFleetThroughFaults has replicas change over, stand by for one another and take
// over other configurations, while requests fail.
func TestFleetThroughFaults(t *testing.T) {
	t.Parallel()
	o := &report{name: "fleet-all", seed: seed(t), runs: 1}
	defer o.tell(t)
	c := newChronicle(t, o.seed)
	f := c.fleet(3)
	c.injector.SetFaults(0.2, faults.All()...)
	f.stale = true
	for range 6 {
		f.change()
		c.live(steps()/4, f.serving()...)
	}
	c.injector.SetFaults(0)
	c.cluster.CloseWatches()
	o.steps, o.struck, o.worst = c.steps, struck(c.injector.Counts()), c.converge(f.serving()...)
	f.tried()
	if o.struck == 0 {
		t.Error("no fault has struck")
	}
}

// TestRandomSteps has a fleet live through all that changes a cluster and the fleet
// itself, without any fault: STATEFLEET_STEPS=1000000 is the long form.
func TestRandomSteps(t *testing.T) {
	t.Parallel()
	o := &report{name: "random-steps", seed: seed(t), runs: 1}
	defer o.tell(t)
	c := newChronicle(t, o.seed)
	f := c.fleet(3)
	for next, end := 0, number("STATEFLEET_STEPS", 4000); c.steps < end || next < 5; next++ {
		f.change()
		c.live(200+c.random.IntN(min(end, 2000)), f.serving()...)
		if next%10 == 0 {
			o.worst = max(o.worst, c.converge(f.serving()...))
		}
	}
	o.worst = max(o.worst, c.converge(f.serving()...))
	o.steps = c.steps
	f.tried()
}

// The documentation says what each of them is.
func TestFaultsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults.All() {
		if !strings.Contains(string(text), "`"+string(f)+"`") {
			t.Errorf("docs/reliability.md does not name %s", f)
		}
	}
}
