package fit

import (
	"math"
	"testing"
	"time"

	"github.com/statefleet/statefleet/internal/capacity"
)

// syntheticRun returns the run of a fleet with exactly these costs.
func syntheticRun(c capacity.Costs, pods, shards int, serverSharded bool) Run {
	l := capacity.Load{
		Kinds:  c.ScaleFromPods(map[string]int{podsKind: pods}, capacity.DefaultKinds()),
		Events: 400, RawBytes: 32 << 20, ServerSharded: serverSharded,
	}
	rest := l
	rest.Events = 0
	one, still, n := c.Replica(l, shards), c.Replica(rest, shards), float64(shards)
	return Run{
		Pods: pods, Shards: shards, ServerSharded: serverSharded, Objects: l.Total().Objects,
		Series: n * one.Series, Text: n * one.Text, Gzip: n * one.Gzip,
		SyncCPU: n * one.StartCPU.Seconds(), SyncBytes: n * one.StartBytes, Memory: n * still.Memory, ChurnMemory: n * one.Memory,
		Idle: n * c.Process.Idle.Seconds(), ScrapeCPU: n * still.ScrapeCPU.Seconds(),
		Events: l.Events, CPU: n * one.CPU, EventBytes: n * one.EventBytes,
	}
}

func TestFitRecoversTheCostsOfSyntheticRuns(t *testing.T) {
	right := costs(t)
	right.Process.Base, right.Process.Object, right.Process.Idle = 50e6, 400, 5*time.Millisecond
	right.Process.WakeupCPU = 6 * time.Millisecond
	right.Process.OwnedEvent, right.Process.ForeignEvent, right.Process.EventBytes = 77*time.Microsecond, 9*time.Microsecond, 7000
	right.Start = capacity.Start{Fixed: 80 * time.Millisecond, PerMB: 12 * time.Millisecond, ForeignObject: 6 * time.Microsecond}
	right.Scrape.Fixed, right.Scrape.PerMB = 2*time.Millisecond, 600*time.Microsecond
	var runs []Run
	for _, pods := range []int{1100, 22_000, 110_000} {
		runs = append(runs, syntheticRun(right, pods, 1, false))
	}
	runs = append(runs, syntheticRun(right, 110_000, 4, false), syntheticRun(right, 110_000, 4, true), syntheticRun(right, 110_000, 8, false))
	got, err := Fit(costs(t), runs)
	if err != nil {
		t.Fatal(err)
	}
	for what, n := range map[string][2]float64{
		"base":           {got.Process.Base, right.Process.Base},
		"object":         {got.Process.Object, right.Process.Object},
		"idle":           {got.Process.Idle.Seconds(), right.Process.Idle.Seconds()},
		"wake-ups":       {got.Process.WakeupCPU.Seconds(), right.Process.WakeupCPU.Seconds()},
		"owned event":    {got.Process.OwnedEvent.Seconds(), right.Process.OwnedEvent.Seconds()},
		"foreign event":  {got.Process.ForeignEvent.Seconds(), right.Process.ForeignEvent.Seconds()},
		"event's bytes":  {got.Process.EventBytes, right.Process.EventBytes},
		"object's bytes": {got.Process.ObjectBytes, right.Process.ObjectBytes},
		"start":          {got.Start.Fixed.Seconds(), right.Start.Fixed.Seconds()},
		"start, text":    {got.Start.PerMB.Seconds(), right.Start.PerMB.Seconds()},
		"start, others":  {got.Start.ForeignObject.Seconds(), right.Start.ForeignObject.Seconds()},
		"scrape":         {got.Scrape.Fixed.Seconds(), right.Scrape.Fixed.Seconds()},
		"scrape, bytes":  {got.Scrape.PerMB.Seconds(), right.Scrape.PerMB.Seconds()},
	} {
		if math.Abs(n[0]/n[1]-1) > 0.01 {
			t.Errorf("%s: %g, want %g", what, n[0], n[1])
		}
	}
	if got.Kinds["pods"] != right.Kinds["pods"] || got.Process.Garbage != right.Process.Garbage {
		t.Error("costs that the runs do not determine have changed")
	}
}

func TestFitNeedsRunsThatDiffer(t *testing.T) {
	c := costs(t)
	one := syntheticRun(c, 1100, 1, false)
	for _, runs := range [][]Run{nil, {one}, {one, one, one}, {one, syntheticRun(c, 22_000, 1, false)}} {
		if _, err := Fit(c, runs); err == nil {
			t.Errorf("%d runs that are too similar: no error", len(runs))
		}
	}
}

func TestNoiseMakesNoCostNegative(t *testing.T) {
	found, err := regress([]observation{
		{x: []float64{1, 1}, y: 1, weight: 1}, {x: []float64{1, 2}, y: 2.1, weight: 1}, {x: []float64{1, 3}, y: 3.3, weight: 1},
	})
	if err != nil || found[0] != 0 || math.Abs(found[1]-1.08) > 0.02 {
		t.Errorf("%v, %v", found, err)
	}
}
