package capacity

import (
	"maps"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/statefleet/statefleet/resources"
)

// run is a measured one.
type run struct {
	Pods, Shards       int
	Events             float64
	Series, Text, Gzip float64
	Memory, CPU        float64
	ChurnMemory        float64 `yaml:"churnMemory"`
}

// defaultKinds are those that are exposed when none are named.
func defaultKinds() []string {
	var names []string
	for _, k := range resources.All() {
		if k.Default {
			names = append(names, k.Name())
		}
	}
	return names
}

func costs(t *testing.T) Costs {
	t.Helper()
	c, err := Measured()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEstimatesAreWithinThirtyPercentOfRuns: most of these runs are of other sizes than those that the model was fitted to.
func TestEstimatesAreWithinThirtyPercentOfRuns(t *testing.T) {
	text, err := os.ReadFile("testdata/measured.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var runs []run
	if err := yaml.Unmarshal(text, &runs); err != nil {
		t.Fatal(err)
	}
	if len(runs) == 0 {
		t.Fatal("no runs")
	}
	c := costs(t)
	for _, r := range runs {
		rest := Load{Kinds: c.Proportion(map[string]int{"pods": r.Pods}, defaultKinds()), RawBytes: 32 << 20}
		churn := rest
		churn.Events = r.Events
		still, busy := c.Replica(rest, r.Shards), c.Replica(churn, r.Shards)
		for _, n := range []struct {
			what                string
			estimated, measured float64
		}{
			{"series", still.Series, r.Series},
			{"text", still.Text, r.Text},
			{"gzip", still.Gzip, r.Gzip},
			{"memory", still.Memory, r.Memory},
			{"memory with events", busy.Memory, r.ChurnMemory},
			{"CPU", busy.CPU, r.CPU},
		} {
			off := n.estimated/n.measured - 1
			t.Logf("%5d pods, 1 of %d, %3.0f events/s: %-18s estimated %10.4g, measured %10.4g: %+.0f %%", r.Pods, r.Shards, r.Events, n.what, n.estimated, n.measured, 100*off)
			if !(math.Abs(off) <= 0.3) {
				t.Errorf("%s is %.0f %% off", n.what, 100*off)
			}
		}
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
	l := Load{Kinds: c.Proportion(map[string]int{"pods": 100_000}, defaultKinds()), Events: 1000, Interval: 30 * time.Second, RawBytes: 32 << 20}
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

func TestFitIsTheSmallestThatStaysWithin(t *testing.T) {
	c := costs(t)
	l := Load{Kinds: c.Proportion(map[string]int{"pods": 200_000}, defaultKinds()), Events: 1000, Interval: 30 * time.Second, RawBytes: 32 << 20}
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
