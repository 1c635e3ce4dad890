package replica

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/statefleet/statefleet/internal/testing/faketime"
	"github.com/statefleet/statefleet/internal/testing/faults"
	"github.com/statefleet/statefleet/shard"
)

// TestAPIServerOutage makes the API server unavailable three times.
func TestAPIServerOutage(t *testing.T) {
	t.Parallel()
	o := &report{name: "away", seed: seed(t), runs: 1}
	defer o.write(t)
	c := newRecordedCluster(t, o.seed)
	w := c.startAudited(0, nil)
	plan := shard.Plan{Active: 1, Target: 1}
	w.Follow(plan)
	w.waitReady()
	w.expect(plan, nil)
	c.converge(w)
	for range 3 {
		c.injector.SetFaults(1, faults.Refused)
		c.server.CloseClientConnections()
		c.churn(stepCount(), w) // events that no watch receives
		if w.Serves() != nil {
			t.Error("the replica does not serve during the outage")
		}
		c.injector.SetFaults(0)
		o.injected++
		o.worst = max(o.worst, c.converge(w))
	}
	o.steps = c.steps
}

// TestAPIServerOutageOfTenMinutes makes the API server unavailable for ten minutes of simulated
// time, three times, while the cluster changes. Requests are spaced by the default backoff.
func TestAPIServerOutageOfTenMinutes(t *testing.T) {
	o := &report{name: "away-ten-minutes", seed: seed(t), runs: 1}
	defer o.write(t)
	faketime.Test(t, func(t *testing.T) {
		network := newPipes()
		c := newRecordedClusterOn(t, o.seed, network)
		w := c.startAudited(0, func(o *Options) {
			o.Config.Dial = network.dial
			o.Backoff = wait.Backoff{} // the default
			o.verify(time.Hour, 0)
		})
		plan := shard.Plan{Active: 1, Target: 1}
		w.Follow(plan)
		w.waitReady()
		w.expect(plan, nil)
		c.converge(w)
		for range 3 {
			network.unavailable.Store(true)
			c.server.CloseClientConnections()
			for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Second) {
				c.churn(1, w)
				if w.Serves() != nil {
					t.Fatal("the replica does not serve during the outage")
				}
			}
			c.cluster.Compact() // in ten minutes, an API server drops its log of events
			network.unavailable.Store(false)
			o.injected++
			o.worst = max(o.worst, c.converge(w))
		}
		// The next request comes after up to 15 seconds. The list follows after as many, since the version has expired.
		if longest := 31 * time.Second; o.worst > longest {
			t.Errorf("converged after %s, want %s at most", o.worst, longest)
		}
		o.steps = c.steps
	})
}
