package fit

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/statefleet/statefleet/internal/capacity"
)

// tolerance is the largest relative error of an estimate.
const tolerance = 0.25

// near compares an estimate with a measurement.
func near(t *testing.T, run, figure string, estimated, measured float64) {
	t.Helper()
	off := estimated/measured - 1
	t.Logf("%s: %-18s estimated %10.4g, measured %10.4g: %+.0f %%", run, figure, estimated, measured, 100*off)
	if !(math.Abs(off) <= tolerance) {
		t.Errorf("%s: the estimate of %s is off by %+.0f %%, want at most %.0f %%", run, figure, 100*off, 100*tolerance)
	}
}

// The costs were fitted to these runs.
func TestEstimatesAreWithinAQuarterOfRuns(t *testing.T) {
	text, err := os.ReadFile("../results/curves.json")
	if err != nil {
		t.Fatal(err)
	}
	var curves struct{ Runs []Run }
	if err := json.Unmarshal(text, &curves); err != nil {
		t.Fatal(err)
	}
	if len(curves.Runs) == 0 {
		t.Fatal("got no runs, want at least one")
	}
	c := costs(t)
	for _, r := range curves.Runs {
		if r.Running > 0 {
			continue // the model assumes another number of events per wake-up
		}
		rest := capacity.Load{Kinds: c.ScaleFromPods(map[string]int{podsKind: r.Pods}, capacity.DefaultKinds()), RawBytes: 32 << 20, ServerSharded: r.ServerSharded}
		churn := rest
		churn.Events = r.Events
		still, busy, n := c.Replica(rest, r.Shards), c.Replica(churn, r.Shards), float64(r.Shards)
		run := fmt.Sprintf("%6d pods, %d shards, by the server %v", r.Pods, r.Shards, r.ServerSharded)
		near(t, run, "series", n*still.Series, r.Series)
		near(t, run, "text", n*still.Text, r.Text)
		near(t, run, "gzip", n*still.Gzip, r.Gzip)
		near(t, run, "memory", n*still.Memory, r.Memory)
		near(t, run, "memory with events", n*busy.Memory, r.ChurnMemory)
		near(t, run, "start, CPU", n*still.StartCPU.Seconds(), r.SyncCPU)
		near(t, run, "start, bytes", n*still.StartBytes, r.SyncBytes)
		near(t, run, "events, CPU", n*busy.CPU, r.CPU)
		near(t, run, "events, bytes", n*busy.EventBytes, r.EventBytes)
	}
}

// No cost was fitted to these runs. A figure that was not measured is 0. The runs may be of another machine, so the
// estimate of CPU is scaled by the ratio of the measured to the estimated CPU of the start.
func TestEstimatesAreWithinAQuarterAtTheLimitsOfKubernetes(t *testing.T) {
	files, err := filepath.Glob("../results/limits-*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("got no results of runs at the limits, %v, want at least one file", err)
	}
	c := costs(t)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var found struct {
			Pods, Jobs, Nodes int
			Runs              []Run
		}
		if err := json.Unmarshal(text, &found); err != nil {
			t.Fatal(err)
		}
		given := map[string]int{podsKind: found.Pods, "jobs": found.Jobs, "nodes": found.Nodes}
		for _, r := range found.Runs {
			rest := capacity.Load{
				Kinds: c.ScaleFromPods(given, capacity.DefaultKinds()), RawBytes: 32 << 20, ServerSharded: r.ServerSharded,
			}
			churn := rest
			churn.Events = r.Events
			still, busy, n := c.Replica(rest, r.Shards), c.Replica(churn, r.Shards), float64(r.Shards)
			run := fmt.Sprintf("%s, %d shards", filepath.Base(file), r.Shards)
			for figure, v := range map[string][2]float64{
				"series": {n * still.Series, r.Series}, "text": {n * still.Text, r.Text}, "gzip": {n * still.Gzip, r.Gzip},
				"start, bytes":       {n * still.StartBytes, r.SyncBytes},
				"memory with events": {n * busy.Memory, r.ChurnMemory},
				"events, bytes":      {n * busy.EventBytes, r.EventBytes},
				"events, CPU":        {n * busy.CPU * r.SyncCPU / (n * still.StartCPU.Seconds()), r.CPU},
			} {
				if v[1] > 0 {
					near(t, run, figure, v[0], v[1])
				}
			}
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
	var runs []struct {
		Pods, Shards       int
		Events             float64
		Series, Text, Gzip float64
		Memory             float64
		ChurnMemory        float64 `yaml:"churnMemory"`
	}
	if err := yaml.Unmarshal(text, &runs); err != nil {
		t.Fatal(err)
	}
	if len(runs) == 0 {
		t.Fatal("got no runs, want at least one")
	}
	c := costs(t)
	for _, r := range runs {
		rest := capacity.Load{Kinds: c.ScaleFromPods(map[string]int{podsKind: r.Pods}, capacity.DefaultKinds()), RawBytes: 32 << 20}
		churn := rest
		churn.Events = r.Events
		still, busy := c.Replica(rest, r.Shards), c.Replica(churn, r.Shards)
		run := fmt.Sprintf("%5d pods, 1 of %d, %3.0f events/s", r.Pods, r.Shards, r.Events)
		near(t, run, "series", still.Series, r.Series)
		near(t, run, "text", still.Text, r.Text)
		near(t, run, "gzip", still.Gzip, r.Gzip)
		near(t, run, "memory", still.Memory+largerProcess, r.Memory)
		near(t, run, "memory with events", busy.Memory+largerProcess, r.ChurnMemory)
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
