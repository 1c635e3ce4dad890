package capacity

import (
	"maps"
	"math"
	"slices"
	"testing"
	"time"
)

// Operators must know which share of the series is missing while a replica restarts before they run a single one.
func TestOnlyStandbyLeavesNoGap(t *testing.T) {
	c := costs(t)
	for _, f := range []struct {
		replicas int
		standby  bool
		want     float64
	}{{1, false, 1}, {4, false, 0.25}, {2, true, 0}, {4, true, 0}} {
		if got := c.Replica(Load{Standby: f.standby}, f.replicas).MissingShare; got != f.want {
			t.Errorf("%d replicas, standby %v: got a missing share of %v, want %v", f.replicas, f.standby, got, f.want)
		}
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

func TestGivenNumbersReplaceScaledOnes(t *testing.T) {
	c := costs(t)
	all := Load{Kinds: c.ScaleFromPods(map[string]int{"pods": 1000, "jobs": 70_000, "nodes": 0}, []string{"pods", "jobs", "nodes", "configmaps"})}
	objects := map[string]int{}
	for _, k := range all.Kinds {
		objects[k.Name] = k.Objects
	}
	want := map[string]int{"pods": 1000, "jobs": 70_000, "nodes": 0, "configmaps": 168}
	if !maps.Equal(objects, want) {
		t.Errorf("got %v, want %v", objects, want)
	}
}

// Served text is divided by the number of replicas; the base costs of a process are not.
func TestReplicasShareTheLoad(t *testing.T) {
	c := costs(t)
	l := Load{Kinds: c.ScaleFromPods(map[string]int{"pods": 100_000}, DefaultKinds()), Events: 1000, Interval: 30 * time.Second, RawBytes: 32 << 20}
	one, four := c.Replica(l, 1), c.Replica(l, 4)
	if one.Series != 4*four.Series || one.Text != 4*four.Text || one.Gzip != 4*four.Gzip {
		t.Errorf("each of 4 replicas serves %+v, want a quarter of %+v", four, one)
	}
	if four.Memory <= c.Process.Base || four.Memory-c.Process.Base > (one.Memory-c.Process.Base)/2 {
		t.Errorf("memory of each of 4 replicas: got %.0f bytes, want less than half of %.0f beyond the base",
			four.Memory, one.Memory)
	}
	if four.CPU <= one.CPU/4 || four.CPU >= one.CPU {
		t.Errorf("CPU of each of 4 replicas: got %.3f cores, want between a quarter of %.3f and all of it",
			four.CPU, one.CPU)
	}
	l.Standby = true
	if standby := c.Replica(l, 4); standby.Series != four.Series || standby.Memory <= four.Memory || standby.CPU <= four.CPU {
		t.Errorf("with standby: got %+v, want the series of %+v, and more memory and CPU", standby, four)
	}
}

// Selectors of large fleets are coarse. Replicas of small fleets receive exactly what they hold.
func TestLargeFleetsReceiveMoreThanTheyHold(t *testing.T) {
	c := costs(t)
	l := Load{Kinds: c.ScaleFromPods(map[string]int{"pods": 1_000_000}, DefaultKinds()), Events: 20_000, Check: time.Hour, RawBytes: 32 << 20, ServerSharded: true}
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
			t.Errorf("%d replicas, standby %v: each receives %.4f of all events and holds %.4f; want more received than held: %v",
				f.replicas, f.standby, got, held, f.coarse)
		}
	}
}

// Some checks also list everything, to notice objects that the API server leaves out by mistake.
func TestChecksReadTwiceTheShareWithServerSharding(t *testing.T) {
	c := costs(t)
	l := Load{Kinds: c.ScaleFromPods(map[string]int{"pods": 1000}, DefaultKinds()), Check: time.Hour}
	everything := c.Replica(l, 4).CheckBytes
	l.ServerSharded = true
	if got, want := c.Replica(l, 4).CheckBytes, everything/2; math.Abs(got/want-1) > 1e-9 {
		t.Errorf("got %.0f bytes per second, want %.0f", got, want)
	}
}

func TestSmallestFleetStaysWithinLimits(t *testing.T) {
	c := costs(t)
	l := Load{Kinds: c.ScaleFromPods(map[string]int{"pods": 200_000}, DefaultKinds()), Events: 1000, Interval: 30 * time.Second, RawBytes: 32 << 20}
	for _, limits := range []Limits{
		{Memory: 256 << 20},
		{Timeout: 3 * time.Second},
		{Text: 100 << 20},
		{Memory: 512 << 20, Timeout: 10 * time.Second, Text: 1 << 30},
	} {
		fit, ok := c.SmallestFleet(l, limits)
		if !ok || fit.Replicas < 2 {
			t.Errorf("%+v: got %d replicas, fits %v; want at least 2 that fit", limits, fit.Replicas, ok)
			continue
		}
		if limits.Exceeds(fit) != "" || limits.Exceeds(c.Replica(l, fit.Replicas-1)) == "" {
			t.Errorf("%+v: got %d replicas, want the smallest number that fits", limits, fit.Replicas)
		}
	}
	if fit, ok := c.SmallestFleet(l, Limits{Memory: 32 << 20}); ok {
		t.Errorf("got %d replicas, want none to fit: an empty replica exceeds this limit", fit.Replicas)
	}
	if fit, ok := c.SmallestFleet(Load{Standby: true}, Limits{}); !ok || fit.Replicas != 2 {
		t.Errorf("standby: got %d replicas, want 2", fit.Replicas)
	}
	if fit, ok := c.SmallestFleet(Load{}, Limits{}); !ok || fit.Replicas != 1 {
		t.Errorf("an empty cluster: got %d replicas, want 1", fit.Replicas)
	}
}

func TestSampleHasAboutTheSizesOfTheCluster(t *testing.T) {
	kinds := readCluster(t, smallCluster(), 300)
	whole := readAll(t, smallCluster())
	pods := func(all []Kind) Kind {
		return all[slices.IndexFunc(all, func(k Kind) bool { return k.Name == "pods" })]
	}
	if p := pods(kinds); p.Sampled != 300 || p.Objects <= p.Sampled {
		t.Errorf("got %d of %d pods sampled, want 300", p.Sampled, p.Objects)
	}
	a, b := Load{Kinds: kinds}.Total(), Load{Kinds: whole}.Total()
	for _, n := range [][2]float64{{a.Series, b.Series}, {a.Text, b.Text}, {a.Gzip, b.Gzip}, {a.Memory, b.Memory}} {
		if math.Abs(n[0]/n[1]-1) > 0.15 {
			t.Errorf("the totals from a sample differ by more than 15 %%: got %+v, want about %+v", a, b)
		}
	}
}

func TestServerShardingSavesForeignEvents(t *testing.T) {
	c := costs(t)
	l := Load{Kinds: c.ScaleFromPods(map[string]int{podsKind: 100_000}, DefaultKinds()), Events: 2000, Check: time.Hour}
	all, one := c.Replica(l, 8), c.Replica(l, 1)
	l.ServerSharded = true
	own := c.Replica(l, 8)
	if all.EventBytes != one.EventBytes || all.StartBytes != one.StartBytes || all.CheckBytes != one.CheckBytes {
		t.Errorf("without server sharding: each of 8 replicas receives %+v, want as much as a single one, %+v",
			all, one)
	}
	if own.EventBytes != one.EventBytes/8 || own.StartBytes != one.StartBytes/8 || own.CheckBytes != one.CheckBytes/4 {
		t.Errorf("with server sharding: each of 8 replicas receives %+v, want an eighth of %+v, and a quarter for checks",
			own, one)
	}
	if own.EventCPU >= all.EventCPU || own.StartCPU >= all.StartCPU || own.Memory != all.Memory {
		t.Errorf("with server sharding: got %+v, want less CPU than %+v, and the same memory", own, all)
	}
}
