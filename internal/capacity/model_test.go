package capacity

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// tolerance is how far an estimate may be off.
const tolerance = 0.3

// near compares an estimate with what was measured.
func near(t *testing.T, run, what string, estimated, measured float64) {
	t.Helper()
	off := estimated/measured - 1
	t.Logf("%s: %-18s estimated %10.4g, measured %10.4g: %+.0f %%", run, what, estimated, measured, 100*off)
	if !(math.Abs(off) <= tolerance) {
		t.Errorf("%s: %s is %.0f %% off", run, what, 100*off)
	}
}

func costs(t *testing.T) Costs {
	t.Helper()
	c, err := Measured()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEstimatesAreWithinThirtyPercentOfRuns: of the runs that the costs are fitted to.
func TestEstimatesAreWithinThirtyPercentOfRuns(t *testing.T) {
	text, err := os.ReadFile("../../benchmarks/results/curves.json")
	if err != nil {
		t.Fatal(err)
	}
	var curves struct{ Runs []Run }
	if err := json.Unmarshal(text, &curves); err != nil {
		t.Fatal(err)
	}
	if len(curves.Runs) == 0 {
		t.Fatal("no runs")
	}
	c := costs(t)
	for _, r := range curves.Runs {
		if r.Running > 0 {
			continue // it is for the rate of events, of which the model knows one
		}
		rest := Load{Kinds: c.Proportion(map[string]int{podsKind: r.Pods}, DefaultKinds()), RawBytes: 32 << 20, ServerSharded: r.ServerSharded}
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

// TestMemoryIsWithinThirtyPercentOfRuns: of runs with more events, which no cost is fitted to.
func TestMemoryIsWithinThirtyPercentOfRuns(t *testing.T) {
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
		t.Fatal("no runs")
	}
	c := costs(t)
	for _, r := range runs {
		rest := Load{Kinds: c.Proportion(map[string]int{podsKind: r.Pods}, DefaultKinds()), RawBytes: 32 << 20}
		churn := rest
		churn.Events = r.Events
		still, busy := c.Replica(rest, r.Shards), c.Replica(churn, r.Shards)
		run := fmt.Sprintf("%5d pods, 1 of %d, %3.0f events/s", r.Pods, r.Shards, r.Events)
		near(t, run, "series", still.Series, r.Series)
		near(t, run, "text", still.Text, r.Text)
		near(t, run, "gzip", still.Gzip, r.Gzip)
		near(t, run, "memory", still.Memory, r.Memory)
		near(t, run, "memory with events", busy.Memory, r.ChurnMemory)
	}
}

func TestProportionTakesGivenNumbers(t *testing.T) {
	c := costs(t)
	all := Load{Kinds: c.Proportion(map[string]int{"pods": 1000, "jobs": 70_000, "nodes": 0}, []string{"pods", "jobs", "nodes", "configmaps"})}
	objects := map[string]int{}
	for _, k := range all.Kinds {
		objects[k.Name] = k.Objects
	}
	want := map[string]int{"pods": 1000, "jobs": 70_000, "nodes": 0, "configmaps": 168}
	if !maps.Equal(objects, want) {
		t.Errorf("%v, want %v", objects, want)
	}
}

// TestReplicasShareTheLoad: what is on pages is divided by the replicas, what each needs for itself is not.
func TestReplicasShareTheLoad(t *testing.T) {
	c := costs(t)
	l := Load{Kinds: c.Proportion(map[string]int{"pods": 100_000}, DefaultKinds()), Events: 1000, Interval: 30 * time.Second, RawBytes: 32 << 20}
	one, four := c.Replica(l, 1), c.Replica(l, 4)
	if one.Series != 4*four.Series || one.Text != 4*four.Text || one.Gzip != 4*four.Gzip {
		t.Errorf("pages of 4 replicas are not a quarter each: %+v, %+v", one, four)
	}
	if four.Memory <= c.Process.Base || four.Memory-c.Process.Base > (one.Memory-c.Process.Base)/2 {
		t.Errorf("memory of one %.0f, of four %.0f each", one.Memory, four.Memory)
	}
	if four.CPU <= one.CPU/4 || four.CPU >= one.CPU {
		t.Errorf("CPU of one %.3f, of four %.3f each: foreign events cost something, and less than owned ones", one.CPU, four.CPU)
	}
	l.Standby = true
	if standby := c.Replica(l, 4); standby.Series != four.Series || standby.Memory <= four.Memory || standby.CPU <= four.CPU {
		t.Errorf("standby holds and follows more, and shows the same: %+v, %+v", standby, four)
	}
}

// TestLargeFleetsReceiveMoreThanTheyHold: their selectors are coarse. Small fleets receive what they hold.
func TestLargeFleetsReceiveMoreThanTheyHold(t *testing.T) {
	c := costs(t)
	l := Load{Kinds: c.Proportion(map[string]int{"pods": 1_000_000}, DefaultKinds()), Events: 20_000, Check: time.Hour, RawBytes: 32 << 20, ServerSharded: true}
	for _, f := range []struct {
		replicas        int
		standby, coarse bool
	}{{32, false, false}, {32, true, false}, {64, false, false}, {64, true, true}, {128, false, true}, {128, true, true}} {
		l.Standby = f.standby
		held := 1 / float64(f.replicas)
		if f.standby {
			held *= 2
		}
		got := c.Replica(l, f.replicas).EventBytes / (l.Events * c.Process.EventBytes)
		if got < held-1e-9 || got > 1 || f.coarse != (got > held*1.01) {
			t.Errorf("%d replicas, standby %v: each receives %.4f of all events and holds %.4f", f.replicas, f.standby, got, held)
		}
	}
}

// TestChecksOfAFilteringServerReadTwiceWhatIsAskedFor: a part of them also lists everything.
func TestChecksOfAFilteringServerReadTwiceWhatIsAskedFor(t *testing.T) {
	c := costs(t)
	l := Load{Kinds: c.Proportion(map[string]int{"pods": 1000}, DefaultKinds()), Check: time.Hour}
	everything := c.Replica(l, 4).CheckBytes
	l.ServerSharded = true
	if got, want := c.Replica(l, 4).CheckBytes, everything/2; math.Abs(got/want-1) > 1e-9 {
		t.Errorf("%.0f bytes a second, want %.0f", got, want)
	}
}

func TestFitIsTheSmallestThatStaysWithin(t *testing.T) {
	c := costs(t)
	l := Load{Kinds: c.Proportion(map[string]int{"pods": 200_000}, DefaultKinds()), Events: 1000, Interval: 30 * time.Second, RawBytes: 32 << 20}
	for _, limits := range []Limits{
		{Memory: 256 << 20},
		{Timeout: 3 * time.Second},
		{Page: 100 << 20},
		{Memory: 512 << 20, Timeout: 10 * time.Second, Page: 1 << 30},
	} {
		fit, ok := c.Fit(l, limits)
		if !ok || fit.Replicas < 2 {
			t.Errorf("%+v: %d replicas, %v", limits, fit.Replicas, ok)
			continue
		}
		if limits.Exceeds(fit) != "" || limits.Exceeds(c.Replica(l, fit.Replicas-1)) == "" {
			t.Errorf("%+v: %d replicas are not the fewest that fit", limits, fit.Replicas)
		}
	}
	if fit, ok := c.Fit(l, Limits{Memory: 32 << 20}); ok {
		t.Errorf("%d replicas fit into less memory than one takes without objects", fit.Replicas)
	}
	if fit, ok := c.Fit(Load{Standby: true}, Limits{}); !ok || fit.Replicas != 2 {
		t.Errorf("standby with %d replicas", fit.Replicas)
	}
	if fit, ok := c.Fit(Load{}, Limits{}); !ok || fit.Replicas != 1 {
		t.Errorf("an empty cluster needs %d replicas", fit.Replicas)
	}
}

// TestSampleIsLikeTheWhole: the size of some objects is about that of all.
func TestSampleIsLikeTheWhole(t *testing.T) {
	kinds := readCluster(t, scaled(), 300)
	whole := readAll(t, scaled())
	pods := func(all []Kind) Kind {
		return all[slices.IndexFunc(all, func(k Kind) bool { return k.Name == "pods" })]
	}
	if p := pods(kinds); p.Sampled != 300 || p.Objects <= p.Sampled {
		t.Errorf("%d of %d pods are sampled", p.Sampled, p.Objects)
	}
	a, b := Load{Kinds: kinds}.Total(), Load{Kinds: whole}.Total()
	for _, n := range [][2]float64{{a.Series, b.Series}, {a.Text, b.Text}, {a.Gzip, b.Gzip}, {a.Memory, b.Memory}} {
		if math.Abs(n[0]/n[1]-1) > 0.15 {
			t.Errorf("sampled %+v, all %+v", a, b)
		}
	}
}
