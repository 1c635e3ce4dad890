package simulator

import (
	"context"
	"fmt"
	"time"
)

// Churn is steady change: Jobs that come, run and go with their pods, status
// updates of pods, heartbeats of nodes. A rate of zero leaves its part out.
// 20 Jobs and 200 status updates a second come to 400 events a second.
type Churn struct {
	// JobsPerSecond are created, run and deleted, each with one pod: 10 events
	// in its life.
	JobsPerSecond float64
	// StatusUpdatesPerSecond go to pods drawn at random.
	StatusUpdatesPerSecond float64
	// HeartbeatsPerSecond renews the leases of the nodes in turn, and the
	// status of one node for thirty leases. Kubelets renew every ten seconds:
	// a tenth of the number of nodes is real.
	HeartbeatsPerSecond float64
	// JobRuns is how long a Job runs, JobStays how long it stays when it has
	// ended. Defaults: 5 s and 10 s.
	JobRuns, JobStays time.Duration
	// Tidy removes the Jobs that live at the end, with their pods; else they stay
	// as they are.
	Tidy bool
	// Seed is for names and choices. Two churns of one cluster need two seeds.
	Seed uint64
}

// churnTick is how often the driver looks what is due.
const churnTick = 20 * time.Millisecond

// Run drives the change until ctx ends, in the caller's goroutine, and then
// returns nil. What a rate asks for and the machine cannot do within a second
// is left out.
func (c Churn) Run(ctx context.Context, cluster *Cluster) error {
	driver, err := newChurnDriver(c, cluster)
	if err != nil {
		return fmt.Errorf("churn: %w", err)
	}
	ticker := time.NewTicker(churnTick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			if !c.Tidy {
				return nil
			}
			return driver.removeJobs()
		case now := <-ticker.C:
			if err := driver.step(now); err != nil {
				return fmt.Errorf("churn: %w", err)
			}
		}
	}
}

// rate turns passing time into a number of things to do.
type rate struct {
	perSecond, owed float64
}

func (r *rate) due(elapsed time.Duration) int {
	r.owed += r.perSecond * elapsed.Seconds()
	r.owed = min(r.owed, max(1, r.perSecond)) // no more than a second's worth
	n := int(r.owed)
	r.owed -= float64(n)
	return n
}
