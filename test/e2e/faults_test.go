package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/statefleet/statefleet/internal/testing/faults"
	"github.com/statefleet/statefleet/test/controlplane"
	"github.com/statefleet/statefleet/test/fleet"
)

// faultsFileVar names the environment variable with the path of the result file, which gets one line for each scenario.
// Without it, only the short scenarios run.
const faultsFileVar = "STATEFLEET_FAULTS"

const (
	// convergeTimeout is how long the expositions may take to agree with the cluster after the faults have ended. A
	// replica retries a request after at most 15 seconds, and then gets an answer.
	convergeTimeout = 45 * time.Second
	// repairTimeout is the same after lost events. A consistency check must find a difference twice, half a minute
	// apart. If the check of the kind already waits for its second comparison, the next check finds the difference.
	repairTimeout = convergeTimeout + 35*time.Second

	// strikeWait is how long to wait until a fault has struck minStrikes times. A fault that has not struck at all gets
	// three times as long: a stale list, for example, must follow a 410.
	strikeWait = time.Minute
)

// minStrikes returns the number of strikes for which a scenario waits.
func minStrikes() int {
	if os.Getenv(faultsFileVar) == "" {
		return 3
	}
	return 20
}

// faultScenario is a scenario with faults between replicas and the API server.
type faultScenario struct {
	name            string
	faults          []faults.Fault
	share           float64       // of the requests that get a fault; a third if it is 0
	timeout         time.Duration // convergeTimeout if it is 0
	short           bool          // also runs without a result file
	unstreamedLists bool          // the API server refuses streamed lists
	watchSeconds    int           // the longest duration of a watch, in seconds; 0: as requested
	keepConnections bool          // makeChanges does not cut connections
	act             func(tr *trial)
}

// faultScenarios returns a scenario for each fault, one that combines all, and those in which all requests fail for a
// while or a kind is installed.
func faultScenarios() []faultScenario {
	var all []faultScenario
	for _, f := range faults.All() {
		o := faultScenario{name: string(f), faults: []faults.Fault{f}}
		switch f {
		case faults.Stale, faults.ExpiredPage: // strike lists, which replicas request after a 410
			o.unstreamedLists, o.faults, o.share = true, append(o.faults, faults.Expired), 2.0/3
		case faults.NoStreaming:
			o.faults = append(o.faults, faults.Expired)
		case faults.NoBookmarks:
			o.watchSeconds, o.keepConnections = 4, true
		case faults.Lost:
			o.timeout, o.short = repairTimeout, true
		case faults.Expired:
			o.short = true
		}
		all = append(all, o)
	}
	return append(all,
		faultScenario{name: "all", faults: faults.All(), timeout: repairTimeout, short: true},
		faultScenario{name: "away", short: true, act: (*trial).apiServerOutages},
		faultScenario{name: "refused-for-a-while", act: refuseRequests(faults.Forbidden, "forbidden")},
		faultScenario{name: "absent-for-a-while", act: refuseRequests(faults.Absent, "absent")},
		faultScenario{name: "installed-later", short: true, act: (*trial).installKind},
	)
}

// TestFaults injects each fault between replicas of the binary and a real kube-apiserver. STATEFLEET_SEED reproduces
// the faults of a run.
func TestFaults(t *testing.T) {
	seed := rand.Uint64N(1 << 32)
	if given, err := strconv.ParseUint(os.Getenv("STATEFLEET_SEED"), 10, 64); err == nil {
		seed = given
	}
	t.Logf("STATEFLEET_SEED=%d", seed)
	if _, err := fleet.Build(); err != nil {
		t.Fatal(err)
	}
	cluster := controlplane.Start(t, controlplane.Options{Sharding: true})
	token := cluster.BoundToken(t, "ordeals", "reader", "cluster-admin")
	var group errgroup.Group
	group.SetLimit(6) // scenarios at a time: they wait most of the time
	for _, o := range faultScenarios() {
		if o.short || os.Getenv(faultsFileVar) != "" {
			group.Go(func() error {
				t.Run(o.name, func(t *testing.T) { runFaultScenario(t, cluster, token, o, seed) })
				return nil
			})
		}
	}
	_ = group.Wait() // always nil: the subtests report failures
}

// runFaultScenario runs a scenario and writes its row.
func runFaultScenario(t *testing.T, cluster *controlplane.Cluster, token string, o faultScenario, seed uint64) {
	if o.timeout == 0 {
		o.timeout = convergeTimeout
	}
	tr := newTrial(t, cluster, token, o, seed)
	defer tr.writeRow()
	tr.injector.SetFaults(cmp.Or(o.share, 1.0/3), o.faults...)
	if o.act != nil {
		o.act(tr)
	} else {
		struck := func() int { return tr.injector.Counts()[o.faults[0]] }
		for start := time.Now(); struck() < minStrikes() && time.Since(start) < strikeWait || struck() == 0 && time.Since(start) < 3*strikeWait; {
			tr.makeChanges(20)
		}
		if struck() == 0 {
			t.Errorf("fault %s never struck: strikes %v", o.faults[0], tr.injector.Counts())
		}
	}
	tr.injector.SetFaults(0)
	tr.took = tr.converge()
}

// writeRow logs the scenario's row of the table of results and appends it to the result file.
func (tr *trial) writeRow() {
	violations := 0
	if tr.t.Failed() {
		violations = 1 // the first violation ends the scenario
	}
	line := fmt.Sprintf("%-18s | real      | %10d | %4d | %8d | %7d | %10d | %s",
		tr.name, tr.seed, 1, tr.steps, tr.struck(), violations, tr.took.Round(time.Millisecond))
	tr.t.Log(line)
	path := os.Getenv(faultsFileVar)
	if path == "" {
		return
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = file.WriteString(line + "\n")
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		tr.t.Error(err)
	}
}
