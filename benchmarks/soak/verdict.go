package soak

import (
	"errors"
	"fmt"
	"math"

	"github.com/statefleet/statefleet/benchmarks/report"
)

// leastLooks is how many looks are compared at least, with any warm-up.
const leastLooks = 4

// warm leaves out the looks of the warm-up, in which the replicas grow to their size.
func (t *trial) warm(looks []look) []look {
	for len(looks) > leastLooks && looks[0].at < t.warmUp {
		looks = looks[1:]
	}
	return looks
}

// compareQuarters holds the last quarter of the looks after the warm-up against the
// first, by their medians: a look may fall into a moment when the runtime has just grown.
func (t *trial) compareQuarters(all []look) error {
	looks := t.warm(all)
	n := quarter(len(looks))
	first, last := looks[:n], looks[len(looks)-n:]
	t.say("\n%-10s %12s %12s %9s   (medians of %d of %d looks; the %d of the first %s are left out)",
		"", "first", "last", "change", n, len(looks), len(all)-len(looks), t.warmUp)
	var failed error
	for _, m := range measures() {
		a, b := median(first, m.of), median(last, m.of)
		change := 100 * (b - a) / a
		t.say("%-10s %12.2f %12.2f %+8.2f%%", m.name, a, b, change)
		if math.IsNaN(change) || change > t.tolerance || m.exact && change < -t.tolerance {
			failed = errors.Join(failed, fmt.Errorf("%s changed by %+.1f%%, from %.2f to %.2f", m.name, change, a, b))
		}
	}
	return failed
}

// quarter is how many looks of all are a quarter: three at least if there are as many
// twice, since the median of two is off as soon as one of them is.
func quarter(looks int) int { return max(1, looks/4, min(3, looks/2)) }

func median(looks []look, of func(look) float64) float64 {
	var values []float64
	for _, l := range looks {
		values = append(values, of(l))
	}
	return report.Median(values)
}
