package fit

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/statefleet/statefleet/internal/capacity"
)

// tolerance is the largest relative error of an estimate.
const tolerance = 0.25

// load returns the load of a run without events. given has the numbers of objects that are not in proportion.
func load(c capacity.Costs, given map[string]int, serverSharded bool) capacity.Load {
	return capacity.Load{Kinds: c.ScaleFromPods(given, capacity.DefaultKinds()), RawBytes: 32 << 20, ServerSharded: serverSharded}
}

// compare compares the estimate for a run with its measurements, and returns the number of figures that it has
// compared. A figure that was not measured is 0.
func compare(t *testing.T, name string, c capacity.Costs, given map[string]int, r Run) (compared int) {
	t.Helper()
	churn := load(c, given, r.ServerSharded)
	still := c.Replica(churn, r.Shards)
	churn.Events = r.Events
	busy := c.Replica(churn, r.Shards)
	for figure, v := range map[string]struct{ one, measured float64 }{
		"series":             {still.Series, r.Series},
		"text":               {still.Text, r.Text},
		"gzip":               {still.Gzip, r.Gzip},
		"memory":             {still.Memory, r.Memory},
		"memory with events": {busy.Memory, r.ChurnMemory},
		"start, CPU":         {still.StartCPU.Seconds(), r.SyncCPU},
		"start, bytes":       {still.StartBytes, r.SyncBytes},
		"events, CPU":        {busy.CPU, r.CPU},
		"events, bytes":      {busy.EventBytes, r.EventBytes},
	} {
		if v.measured == 0 {
			continue
		}
		compared++
		estimated := r.runningShards() * v.one
		off := estimated/v.measured - 1
		t.Logf("%s: %-18s estimated %10.4g, measured %10.4g: %+.0f %%", name, figure, estimated, v.measured, 100*off)
		if !(math.Abs(off) <= tolerance) {
			t.Errorf("%s: the estimate of %s is off by %+.0f %%, want at most %.0f %%", name, figure, 100*off, 100*tolerance)
		}
	}
	return compared
}

// result is the content of a result file.
type result struct {
	Pods, Jobs, Nodes int
	Runs              []Run
}

func read(t *testing.T, file string) (found result) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &found)
	}
	if err != nil || len(found.Runs) == 0 {
		t.Fatalf("%s: got %d runs, %v, want at least one", file, len(found.Runs), err)
	}
	return found
}

// The costs were fitted to these runs.
func TestEstimatesAreWithinAQuarterOfRuns(t *testing.T) {
	c := costs(t)
	for _, r := range read(t, "../results/curves.json").Runs {
		if r.Running > 0 {
			continue // the model assumes another number of events per wake-up
		}
		name := fmt.Sprintf("%6d pods, %d shards, by the server %v", r.Pods, r.Shards, r.ServerSharded)
		if n := compare(t, name, c, map[string]int{podsKind: r.Pods}, r); n != 9 {
			t.Errorf("%s: got %d figures, want all 9", name, n)
		}
	}
}

// No cost was fitted to these runs. The runs may be of another machine, so the CPU is scaled by the ratio of the
// estimated to the measured CPU of the start.
func TestEstimatesAreWithinAQuarterAtTheLimitsOfKubernetes(t *testing.T) {
	files, err := filepath.Glob("../results/limits-*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("got no results of runs at the limits, %v, want at least one file", err)
	}
	c := costs(t)
	for _, file := range files {
		found := read(t, file)
		given := map[string]int{podsKind: found.Pods, "jobs": found.Jobs, "nodes": found.Nodes}
		for _, r := range found.Runs {
			start := float64(r.Shards) * c.Replica(load(c, given, r.ServerSharded), r.Shards).StartCPU.Seconds()
			r.CPU, r.SyncCPU = r.CPU*start/r.SyncCPU, 0
			compare(t, fmt.Sprintf("%s, %d shards", filepath.Base(file), r.Shards), c, given, r)
		}
	}
}

// These runs have more events. Only the costs of uncompressed text were fitted to them. They are of a build with a
// larger binary, which took more memory without objects.
func TestMemoryIsWithinAQuarterOfRuns(t *testing.T) {
	const largerProcess = 17e6 // bytes
	text, err := os.ReadFile("testdata/measured.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var runs []Run
	if err := yaml.UnmarshalStrict(text, &runs); err != nil || len(runs) == 0 {
		t.Fatalf("got %d runs, %v, want at least one", len(runs), err)
	}
	c := costs(t)
	c.Process.Base += largerProcess
	for _, r := range runs {
		r.Running = 1
		name := fmt.Sprintf("%5d pods, 1 of %d, %3.0f events/s", r.Pods, r.Shards, r.Events)
		if n := compare(t, name, c, map[string]int{podsKind: r.Pods}, r); n != 5 {
			t.Errorf("%s: got %d figures, want 5", name, n)
		}
	}
}

func costs(t *testing.T) capacity.Costs {
	t.Helper()
	c, err := capacity.Measured()
	if err != nil {
		t.Fatal(err)
	}
	return c
}
