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
	// loading is the rate, in bytes a second, at which a replica receives its pods while memory is limited: it takes seconds,
	// so that a process is killed before it holds everything, as one that the kernel kills.
	loading = 60_000

	few, many = 3, 6

	// killedTimes is how often each replica has to have been killed before the fleet is scaled.
	killedTimes = 3
)

// outOfMemory is a fleet that the cluster has outgrown: no replica has memory for a third of the objects.
func outOfMemory() []scenario {
	return []scenario{{
		name: "grow-out-of-memory-kills", replicas: few, variant: variant{name: "gated", gated: true},
		before: outgrow, act: growOut, late: belatedly, gaps: true, did: did{switches: 1, started: many - few},
	}}
}

// outgrow lets replicas hold more than a sixth of all objects, and less than a third, and waits until no object is served.
func outgrow(t *testing.T, s *stage) {
	t.Cleanup(func() {
		s.kubelet.Limit(0)
		s.slow.rate.Store(0)
	})
	least := s.leastHeld(t)
	s.slow.rate.Store(loading)
	s.kubelet.Limit(least * 3 / 4)
	fleet.Eventually(t, "every replica is killed again and again", func(context.Context) error {
		for ordinal := range few {
			if n := s.kubelet.Restarts(podName(ordinal)); n < killedTimes {
				return fmt.Errorf("%s was killed %d times", podName(ordinal), n)
			}
		}
		return nil
	})
	fleet.Eventually(t, "no object is served", func(ctx context.Context) error {
		if share := audit.Coverage(ctx, audit.Options{Cluster: s.objects, Pages: s.pages, Late: promptly}); share > 0 {
			return fmt.Errorf("a share of %.2f is", share)
		}
		return nil
	})
	t.Logf("each of %d replicas held %d objects or more, and is killed beyond %d; %d kills", few, least, least*3/4, s.kubelet.Kills())
}

// leastHeld is the least number of objects that a replica holds.
func (s *stage) leastHeld(t *testing.T) int {
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

// growOut scales the fleet to a size at which there is memory for everything. From then on no one may be killed.
func growOut(t *testing.T, s *stage, _ *audit.Audit) int {
	began, kills := time.Now(), s.kubelet.Kills()
	s.scale(t, many)
	s.settle(t, many)
	t.Logf("complete %s after it was scaled, and after %d more kills", time.Since(began).Round(100*time.Millisecond), s.kubelet.Kills()-kills)
	settled := s.kubelet.Kills()
	time.Sleep(5 * time.Second)
	if n := s.kubelet.Kills(); n > settled {
		t.Errorf("%d processes were killed although the fleet was settled", n-settled)
	}
	return many
}
