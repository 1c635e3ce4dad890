package fit

import (
	"math"
	"testing"
	"time"

	"github.com/statefleet/statefleet/internal/capacity"
)

// syntheticRun returns the run of a fleet with exactly these costs.
func syntheticRun(c capacity.Costs, pods, shards int, serverSharded bool) Run {
	l := load(c, map[string]int{podsKind: pods}, serverSharded)
	still, n := c.Replica(l, shards), float64(shards)
	l.Events = 400
	one := c.Replica(l, shards)
	return Run{
		Pods: pods, Shards: shards, ServerSharded: serverSharded, Objects: l.Total().Objects,
		Series: n * one.Series, Text: n * one.Text, Gzip: n * one.Gzip,
		SyncCPU: n * one.StartCPU.Seconds(), SyncBytes: n * one.StartBytes, Memory: n * still.Memory, ChurnMemory: n * one.Memory,
		Idle: n * c.Process.Idle.Seconds(), ScrapeCPU: n * still.ScrapeCPU.Seconds(),
		Events: l.Events, CPU: n * one.CPU, EventBytes: n * one.EventBytes,
	}
}

func TestFitRecoversTheCostsOfSyntheticRuns(t *testing.T) {
	want := costs(t)
	want.Process.Base, want.Process.Object, want.Process.Idle = 50e6, 400, 5*time.Millisecond
	want.Process.WakeupCPU = 6 * time.Millisecond
	want.Process.OwnedEvent, want.Process.ForeignEvent, want.Process.EventBytes = 77*time.Microsecond, 9*time.Microsecond, 7000
	want.Start = capacity.Start{Fixed: 80 * time.Millisecond, PerMB: 12 * time.Millisecond, ForeignObject: 6 * time.Microsecond}
	want.Scrape.Fixed, want.Scrape.PerMB = 2*time.Millisecond, 600*time.Microsecond
	var runs []Run
	for _, pods := range []int{1100, 22_000, 110_000} {
		runs = append(runs, syntheticRun(want, pods, 1, false))
	}
	runs = append(runs, syntheticRun(want, 110_000, 4, false), syntheticRun(want, 110_000, 4, true), syntheticRun(want, 110_000, 8, false))
	got, err := Fit(costs(t), runs)
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string][2]float64{
		"base":           {got.Process.Base, want.Process.Base},
		"object":         {got.Process.Object, want.Process.Object},
		"idle":           {got.Process.Idle.Seconds(), want.Process.Idle.Seconds()},
		"wake-ups":       {got.Process.WakeupCPU.Seconds(), want.Process.WakeupCPU.Seconds()},
		"owned event":    {got.Process.OwnedEvent.Seconds(), want.Process.OwnedEvent.Seconds()},
		"foreign event":  {got.Process.ForeignEvent.Seconds(), want.Process.ForeignEvent.Seconds()},
		"event's bytes":  {got.Process.EventBytes, want.Process.EventBytes},
		"object's bytes": {got.Process.ObjectBytes, want.Process.ObjectBytes},
		"start":          {got.Start.Fixed.Seconds(), want.Start.Fixed.Seconds()},
		"start, text":    {got.Start.PerMB.Seconds(), want.Start.PerMB.Seconds()},
		"start, others":  {got.Start.ForeignObject.Seconds(), want.Start.ForeignObject.Seconds()},
		"scrape":         {got.Scrape.Fixed.Seconds(), want.Scrape.Fixed.Seconds()},
		"scrape, bytes":  {got.Scrape.PerMB.Seconds(), want.Scrape.PerMB.Seconds()},
	} {
		if math.Abs(n[0]/n[1]-1) > 0.01 {
			t.Errorf("%s: got %g, want %g", name, n[0], n[1])
		}
	}
	if got.Kinds["pods"] != want.Kinds["pods"] || got.Process.Garbage != want.Process.Garbage {
		t.Error("got changed costs that the runs do not determine, want the old ones")
	}
}

func TestFitNeedsRunsThatDiffer(t *testing.T) {
	c := costs(t)
	one := syntheticRun(c, 1100, 1, false)
	for _, runs := range [][]Run{nil, {one}, {one, one, one}, {one, syntheticRun(c, 22_000, 1, false)}} {
		if _, err := Fit(c, runs); err == nil {
			t.Errorf("got no error for %d runs that are too similar, want one", len(runs))
		}
	}
}

func TestNoiseMakesNoCostNegative(t *testing.T) {
	found, err := regress([]observation{
		{x: []float64{1, 1}, y: 1, weight: 1}, {x: []float64{1, 2}, y: 2.1, weight: 1}, {x: []float64{1, 3}, y: 3.3, weight: 1},
	})
	if err != nil || found[0] != 0 || math.Abs(found[1]-1.08) > 0.02 {
		t.Errorf("got %v, %v, want costs of 0 and about 1.08", found, err)
	}
}
