package main

import (
	"fmt"
	"io"

	"github.com/statefleet/statefleet/benchmarks/report"
)

// conditions are what figures were measured on, and of what.
type conditions struct {
	report.Conditions
	// Rates of the churn, each second.
	JobsPerSecond, StatusUpdatesPerSecond, HeartbeatsPerSecond float64
}

func (b *bench) conditions() conditions {
	return conditions{
		Conditions:    report.Observe(b.commit, b.cluster),
		JobsPerSecond: b.jobs, StatusUpdatesPerSecond: b.updates, HeartbeatsPerSecond: b.heartbeats,
	}
}

func (c conditions) write(w io.Writer) {
	c.Write(w)
	_, _ = fmt.Fprintf(w, "Churn: %g jobs, %g status updates and %g heartbeats a second. The simulated API server holds it in %.0f MiB.\n\n",
		c.JobsPerSecond, c.StatusUpdatesPerSecond, c.HeartbeatsPerSecond, c.ServerMiB)
}
