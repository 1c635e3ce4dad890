package e2e

import (
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

// table names the environment variable with the path of the file that gets one line for each scenario. Without it, only the
// short ones are played.
const table = "STATEFLEET_FAULTS"

const (
	// trueWithin is how long the pages may take to agree with the cluster once nothing goes wrong any more: a request is tried again
	// after 15 seconds at the latest, and is then answered.
	trueWithin = 45 * time.Second
	// foundWithin is that for events that were lost, which a comparison has to find, and find again half a minute later: of a
	// kind that waits for that already, for others, with the comparison after that.
	foundWithin = trueWithin + 35*time.Second

	// lasting is for how long it is waited for a fault to strike often enough, and thrice that for it to strike at all: a
	// list from a cache that is behind takes a 410 first, and to have been answered before.
	lasting = time.Minute
)

// strikes is how often a fault has to strike.
func strikes() int {
	if os.Getenv(table) == "" {
		return 3
	}
	return 20
}

// ordeal is a scenario in which something goes wrong between replicas and the API server.
type ordeal struct {
	name   string
	faults []faults.Fault
	within time.Duration // trueWithin if it is 0
	short  bool          // is played without a table, too
	lists  bool          // lists are not streamed
	watch  int           // most seconds that a watch lasts; 0 for as long as it is asked for
	calm   bool          // connections are not cut
	act    func(tr *trial)
}

// ordeals are one for each fault, and what is none of a request.
func ordeals() []ordeal {
	var all []ordeal
	for _, f := range faults.All() {
		o := ordeal{name: string(f), faults: []faults.Fault{f}}
		switch f {
		case faults.Stale, faults.ExpiredPage: // are for lists, which are made after a 410
			o.lists, o.faults = true, append(o.faults, faults.Expired)
		case faults.NoStreaming:
			o.faults = append(o.faults, faults.Expired)
		case faults.NoBookmarks:
			o.watch, o.calm = 4, true
		case faults.Lost:
			o.within, o.short = foundWithin, true
		case faults.Expired:
			o.short = true
		}
		all = append(all, o)
	}
	return append(all,
		ordeal{name: "all", faults: faults.All(), within: foundWithin, short: true},
		ordeal{name: "away", short: true, act: (*trial).away},
		ordeal{name: "refused-for-a-while", act: refuses(faults.Forbidden, "forbidden")},
		ordeal{name: "absent-for-a-while", act: refuses(faults.Absent, "absent")},
		ordeal{name: "installed-later", short: true, act: (*trial).installs},
	)
}

// TestFaults has everything go wrong between replicas of the binary and a real kube-apiserver. STATEFLEET_SEED brings the
// faults of a run again.
func TestFaults(t *testing.T) {
	seed := rand.Uint64N(1 << 32)
	if given, err := strconv.ParseUint(os.Getenv("STATEFLEET_SEED"), 10, 64); err == nil {
		seed = given
	}
	t.Logf("STATEFLEET_SEED=%d", seed)
	if _, err := fleet.Build(); err != nil {
		t.Fatal(err)
	}
	cluster := controlplane.Start(t, controlplane.Options{Gates: controlplane.Sharding(true)})
	token := cluster.BoundToken(t, "ordeals", "reader", "cluster-admin")
	var played errgroup.Group
	played.SetLimit(6) // at a time: most of the time they wait
	for _, o := range ordeals() {
		if o.short || os.Getenv(table) != "" {
			played.Go(func() error {
				t.Run(o.name, func(t *testing.T) { suffer(t, cluster, token, o, seed) })
				return nil
			})
		}
	}
	_ = played.Wait() // no error: what fails is a test
}

// suffer plays a scenario and tells of it.
func suffer(t *testing.T, cluster *controlplane.Cluster, token string, o ordeal, seed uint64) {
	if o.within == 0 {
		o.within = trueWithin
	}
	tr := newTrial(t, cluster, token, o, seed)
	defer tr.tell()
	tr.injector.SetFaults(1.0/3, o.faults...)
	if o.act != nil {
		o.act(tr)
	} else {
		struck := func() int { return tr.injector.Counts()[o.faults[0]] }
		for start := time.Now(); struck() < strikes() && time.Since(start) < lasting || struck() == 0 && time.Since(start) < 3*lasting; {
			tr.live(20)
		}
		if struck() == 0 {
			t.Errorf("it never struck: %v", tr.injector.Counts())
		}
	}
	tr.injector.SetFaults(0)
	tr.took = tr.converge()
}

// tell adds a line to the table.
func (tr *trial) tell() {
	violations := 0
	if tr.t.Failed() {
		violations = 1 // the first one ends the scenario
	}
	line := fmt.Sprintf("%-18s | real      | %10d | %4d | %8d | %7d | %10d | %s",
		tr.name, tr.seed, 1, tr.steps, tr.struck(), violations, tr.took.Round(time.Millisecond))
	tr.t.Log(line)
	path := os.Getenv(table)
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
