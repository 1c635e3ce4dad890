package soak

import (
	"errors"
	"fmt"
	"math"

	"github.com/statefleet/statefleet/benchmarks/report"
)

// minSamples is the number of samples that the warm-up does not reduce further.
const minSamples = 4

// withoutWarmUp removes the samples of the warm-up, in which the replicas grow to their final size.
func (t *trial) withoutWarmUp(samples []sample) []sample {
	for len(samples) > minSamples && samples[0].at < t.warmUp {
		samples = samples[1:]
	}
	return samples
}

// compareQuarters compares the last quarter of the samples after the warm-up with the first. It compares
// medians, because a single sample may fall into a moment when the heap has just grown.
func (t *trial) compareQuarters(all []sample) error {
	samples := t.withoutWarmUp(all)
	n := quarter(len(samples))
	first, last := samples[:n], samples[len(samples)-n:]
	t.printf("\n%-10s %12s %12s %9s   (medians of %d of %d measurements; the %d of the first %s are left out)",
		"", "first", "last", "change", n, len(samples), len(all)-len(samples), t.warmUp)
	var failed error
	for _, f := range figures() {
		a, b := median(first, f.of), median(last, f.of)
		change := 100 * (b - a) / a
		t.printf("%-10s %12.2f %12.2f %+8.2f%%", f.name, a, b, change)
		if math.IsNaN(change) || change > t.tolerance || f.exact && change < -t.tolerance {
			failed = errors.Join(failed, fmt.Errorf("%s changed by %+.1f%%, from %.2f to %.2f", f.name, change, a, b))
		}
	}
	return failed
}

// quarter returns the number of samples in a quarter. It is at least three if there are six or more,
// because one outlier distorts the median of two.
func quarter(samples int) int { return max(1, samples/4, min(3, samples/2)) }

func median(samples []sample, of func(sample) float64) float64 {
	var values []float64
	for _, s := range samples {
		values = append(values, of(s))
	}
	return report.Median(values)
}
