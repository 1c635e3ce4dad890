package architectures

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"go.uber.org/goleak"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/measure"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

// TestMain lets the test binary run the other exporters, as the program of benchmarks does.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "exporter" {
		os.Exit(command.Run(context.Background(), kingpin.New("benchmarks", ""), os.Args[1:], os.Stdout, os.Stderr, Commands))
	}
	goleak.VerifyTestMain(m)
}

// samples returns the samples of an exporter in a canonical form.
func samples(t *testing.T, cluster *simulator.Cluster, e measure.Exporter) (all []string) {
	t.Helper()
	s, err := measure.Open(cluster, e, 1, 1, false)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Fleet.WaitReady(t.Context(), fleet.DefaultTimeout); err != nil {
		t.Fatal(err)
	}
	page, err := s.Fleet.Replicas[0].Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for series, value := range page.Samples {
		all = append(all, series+" "+value)
	}
	slices.Sort(all)
	return all
}

// TestAllExportersServeTheSameSamples checks that the comparison is fair.
func TestAllExportersServeTheSameSamples(t *testing.T) {
	t.Setenv("CGO_ENABLED", "0")
	binary, err := fleet.Build(fleet.Statefleet)
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := generator.NewCluster(100, simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	exporters := compared(os.Args[0], binary)
	others, statefleet := exporters[:len(exporters)-1], exporters[len(exporters)-1]
	want := samples(t, cluster, statefleet)
	if pods := len(cluster.Names("pods")); len(want) < 9*pods {
		t.Fatalf("got %d samples of %d pods, want at least %d", len(want), pods, 9*pods)
	}
	for _, e := range others {
		if got := samples(t, cluster, e); !slices.Equal(got, want) {
			t.Errorf("%s: got %d samples, want %d; the first is %.300q, want %.300q",
				e.Name, len(got), len(want), slices.Concat(got, []string{"none"})[0], want[0])
		}
	}
}

func TestAgeOfACount(t *testing.T) {
	h := &history{}
	for range 3 {
		h.changed()
	}
	second := h.times[0].Add(time.Second)
	h.times[1], h.times[2] = second, second.Add(time.Second)
	f := func(count int32, at time.Time, want time.Duration) {
		t.Helper()
		if got := h.age(count, at); got != want {
			t.Errorf("count %d: got age %s, want %s", count, got, want)
		}
	}
	f(firstRestarts, second.Add(5*time.Second), 5*time.Second)
	f(firstRestarts+1, second.Add(5*time.Second), 4*time.Second)
	f(firstRestarts+2, second.Add(5*time.Second), 0) // still current
	f(firstRestarts, second.Add(-time.Millisecond), 0)
	if next := h.next(); next != firstRestarts+3 {
		t.Errorf("got next count %d, want %d", next, firstRestarts+3)
	}
}
