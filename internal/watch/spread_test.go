package watch

import (
	"testing"
	"time"

	"github.com/statefleet/statefleet/internal/testing/faketime"
)

// TestChecksOfProcessesThatStartTogetherSpread: no two of them wait for the same time.
func TestChecksOfProcessesThatStartTogetherSpread(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		c := &Checked{checks: CheckOptions{Every: time.Hour}}
		seen := map[time.Duration]bool{}
		var sum time.Duration
		const waits = 100
		for range waits {
			start := time.Now()
			c.wait(t.Context())
			waited := time.Since(start)
			if waited < 30*time.Minute || waited > 90*time.Minute {
				t.Errorf("waited %s", waited)
			}
			seen[waited] = true
			sum += waited
		}
		if mean := sum / waits; len(seen) < waits-1 || mean < 45*time.Minute || mean > 75*time.Minute {
			t.Errorf("%d different waits of %d, %s on average", len(seen), waits, mean)
		}
	})
}
