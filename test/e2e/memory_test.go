package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/statefleet/statefleet/benchmarks/selfmetrics"
	"github.com/statefleet/statefleet/test/audit"
	"github.com/statefleet/statefleet/test/fleet"
)

const (
	// limitedListRate is the rate, in bytes per second, at which a replica receives its pods while memory is limited.
	// The list takes seconds, so that a process is killed before it holds everything, as the kernel would kill it.
	limitedListRate = 60_000

	initialReplicas, scaledReplicas = 3, 6

	// minKills is how often each replica must have been killed before the fleet is scaled.
	minKills = 3
)

// outOfMemoryScenarios returns the scenario of a fleet that is too small for the cluster: no replica has memory for a
// third of the objects.
func outOfMemoryScenarios() []scenario {
	return []scenario{{
		name: "grow-out-of-memory-kills", replicas: initialReplicas, variant: variant{name: "gated", gated: true},
		before: limitMemory, act: scaleToFit, maxDelay: reconnectMaxDelay, gaps: true, atLeast: effects{switches: 1, started: scaledReplicas - initialReplicas},
	}}
}

// limitMemory limits replicas to more than a sixth and less than a third of all objects, and waits until no object is
// exposed.
func limitMemory(t *testing.T, s *setup) {
	t.Cleanup(func() {
		s.kubelet.Limit(0)
		s.slow.rate.Store(0)
	})
	least := s.minHeld(t)
	s.slow.rate.Store(limitedListRate)
	s.kubelet.Limit(least * 3 / 4)
	fleet.Eventually(t, "every replica is killed repeatedly", func(context.Context) error {
		for ordinal := range initialReplicas {
			if n := s.kubelet.Restarts(podName(ordinal)); n < minKills {
				return fmt.Errorf("%s was killed %d times, want %d", podName(ordinal), n, minKills)
			}
		}
		return nil
	})
	fleet.Eventually(t, "no object is exposed", func(ctx context.Context) error {
		if share := audit.Coverage(ctx, audit.Options{Cluster: s.objects, Targets: s.targets, Late: defaultMaxDelay}); share > 0 {
			return fmt.Errorf("a share of %.2f of the objects is exposed, want 0", share)
		}
		return nil
	})
	t.Logf("each of %d replicas held at least %d objects, and is killed above %d; %d kills so far", initialReplicas, least, least*3/4, s.kubelet.Kills())
}

// minHeld returns the smallest number of objects that a replica holds.
func (s *setup) minHeld(t *testing.T) int {
	t.Helper()
	least := 0
	for _, r := range s.kubelet.Running() {
		self, err := r.SelfMetrics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if held := selfmetrics.Held(self); least == 0 || held < least {
			least = held
		}
	}
	return least
}

// scaleToFit scales the fleet to a size at which its replicas have memory for all objects. Once the fleet is settled,
// no replica may be killed.
func scaleToFit(t *testing.T, s *setup, _ *audit.Audit) int {
	began, kills := time.Now(), s.kubelet.Kills()
	s.resize(t, scaledReplicas)
	t.Logf("the fleet is complete %s after it was scaled, with %d more kills", time.Since(began).Round(100*time.Millisecond), s.kubelet.Kills()-kills)
	settled := s.kubelet.Kills()
	time.Sleep(5 * time.Second)
	if n := s.kubelet.Kills(); n > settled {
		t.Errorf("%d processes were killed after the fleet had settled, want 0", n-settled)
	}
	return scaledReplicas
}
