package prometheus_test

import (
	"testing"

	"github.com/statefleet/statefleet/test/prometheus"
)

func TestDeviateFindsTheLongestRuns(t *testing.T) {
	const step = prometheus.Step
	f := func(numbers []float64, want prometheus.Deviation) {
		t.Helper()
		if got := prometheus.Deviate(numbers, 5); got != want {
			t.Errorf("%v: got %+v, want %+v", numbers, got, want)
		}
	}
	f(nil, prometheus.Deviation{})
	f([]float64{5, 5}, prometheus.Deviation{Least: 5, Most: 5})
	f([]float64{5, 4, 5, 0, 0, 5}, prometheus.Deviation{Below: 2 * step, Least: 0, Most: 5})
	f([]float64{6, 7, 8, 4}, prometheus.Deviation{Above: 3 * step, Below: step, Least: 4, Most: 8})
}

func TestWorstTakesEachExtreme(t *testing.T) {
	a := prometheus.Deviation{Below: 1, Above: 4, Least: 2, Most: 7}
	b := prometheus.Deviation{Below: 3, Above: 2, Least: 5, Most: 9}
	if got, want := a.Worst(b), (prometheus.Deviation{Below: 3, Above: 4, Least: 2, Most: 9}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
