package measure

import (
	"testing"
	"time"

	"github.com/statefleet/statefleet/benchmarks/report"
)

func TestScrapesAreSummedUp(t *testing.T) {
	f := func(times []time.Duration, cpu, least, median, p99, mean float64) {
		t.Helper()
		got := report.Figures{}
		scrapes{times: times, cpu: cpu}.put(got, Unchanged)
		if got[Unchanged+Least] != least || got[Unchanged+Median] != median || got[Unchanged+P99] != p99 || got[Unchanged+CPU] != mean {
			t.Errorf("got %v, want min %g, median %g, p99 %g, CPU %g", got, least, median, p99, mean)
		}
	}
	var times []time.Duration
	for i := range 100 {
		times = append(times, time.Duration(100-i)*time.Millisecond)
	}
	f(times, 0.05, 1, 50, 99, 0.5)
	f([]time.Duration{time.Second}, 0, 1000, 1000, 1000, 0)
	if times[0] != 100*time.Millisecond {
		t.Error("got a sorted list of the caller, want it unchanged")
	}
}

func TestMeasuresAreNamedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range Measures() {
		if seen[m.Name] {
			t.Errorf("got the measure %q twice, want unique names", m.Name)
		}
		seen[m.Name] = true
	}
}
