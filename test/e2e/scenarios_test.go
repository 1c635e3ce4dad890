package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/statefleet/statefleet/test/audit"
	"github.com/statefleet/statefleet/test/fleet"
)

// scenarios returns all scenarios. Those without standby come first.
func scenarios() []scenario {
	return slices.Concat(
		[]scenario{
			{name: "scale", replicas: 1, act: scaleThrough(3, 5, 2, 3), short: true, atLeast: effects{moved: 500, switches: 4, started: 5}},
			{name: "rollout-without-standby", replicas: 3, act: rollout, replaces: true, gaps: true, atLeast: effects{started: 3}},
			{name: "api-server-restart", replicas: 3, act: restartAPIServer, maxDelay: reconnectMaxDelay, short: true},
			{name: "watches-cut", replicas: 3, act: cutConnections, maxDelay: reconnectMaxDelay, short: true},
			{name: "scale-to-0-and-back", replicas: 3, before: scaleToZeroAndBack, act: doNothing, short: true},
		},
		interruptedScenarios(false),
		[]scenario{
			{name: "scale-with-standby", replicas: 1, standby: true, act: scaleThrough(3, 5, 2, 3), atLeast: effects{moved: 500, switches: 4, started: 5}},
			{name: "rollout", replicas: 3, standby: true, act: rollout, replaces: true, short: true, atLeast: effects{moved: 300, started: 3}},
			{name: "kill-each", replicas: 3, standby: true, act: killEach, short: true, atLeast: effects{moved: 300, started: 3}},
			{name: "api-server-restart-with-standby", replicas: 3, standby: true, act: restartAPIServer, maxDelay: reconnectMaxDelay},
			{name: "watches-cut-with-standby", replicas: 3, standby: true, act: cutConnections, maxDelay: reconnectMaxDelay},
		},
		interruptedScenarios(true),
		shrinkScenarios(),
		upgradeScenarios(),
		outOfMemoryScenarios(),
		warmRestartScenarios(),
		restoreScenarios(), // last: the cluster's versions go back
	)
}

// scaleThrough calls resize, and then waits until the replicas together expose the same as an unsharded one, of all
// kinds. Pods and jobs do not change meanwhile.
func scaleThrough(sizes ...int) func(*testing.T, *setup, *audit.Audit) int {
	return func(t *testing.T, s *setup, _ *audit.Audit) int {
		s.resize(t, sizes...)
		s.churnPaused.Store(true)
		defer s.churnPaused.Store(false)
		whole := fleet.Start(t, "--kubeconfig="+s.kubeconfig)
		whole.WaitReady(t)
		var parts []*fleet.Replica
		for _, r := range s.kubelet.Running() {
			parts = append(parts, r.Replica)
		}
		waitForEqualUnion(t, whole, parts)
		return sizes[len(sizes)-1]
	}
}

// resize scales the fleet to each of the given sizes, and waits until it is settled before the next.
func (s *setup) resize(t *testing.T, sizes ...int) {
	t.Helper()
	for _, n := range sizes {
		began := time.Now()
		s.scale(t, n)
		s.settle(t, n)
		t.Logf("scaled to %d in %s", n, time.Since(began).Round(100*time.Millisecond))
	}
}

// rollout replaces every pod, as a new image would.
func rollout(t *testing.T, s *setup, _ *audit.Audit) int {
	set := s.changePods(t, func(pods *corev1.PodTemplateSpec) {
		pods.Annotations = map[string]string{"rolled-out-at": time.Now().Format(time.RFC3339Nano)}
	})
	return int(*set.Spec.Replicas)
}

// killEach kills the replicas one after the other, each when the fleet has settled after the previous kill.
func killEach(t *testing.T, s *setup, a *audit.Audit) int {
	const replicas = 3
	for ordinal := range replicas {
		s.kill(t, a, ordinal)
		s.settle(t, replicas)
	}
	return replicas
}

// kill waits for the process of an ordinal, kills it, and waits until the kubelet has noticed.
func (s *setup) kill(t *testing.T, a *audit.Audit, ordinal int) {
	t.Helper()
	name := podName(ordinal)
	fleet.Eventually(t, "a process of "+name+" runs", func(context.Context) error {
		if s.kubelet.Replica(name) == nil {
			return errors.New("no process of it runs")
		}
		return nil
	})
	replica := s.kubelet.Replica(name)
	a.Killed()
	replica.Kill()
	for s.kubelet.Replica(name) == replica {
		time.Sleep(fleet.Tick)
	}
}

func restartAPIServer(t *testing.T, s *setup, _ *audit.Audit) int {
	if err := s.cluster.Restart(); err != nil {
		t.Fatal(err)
	}
	return 3
}

// cutConnections cuts the connections of all replicas twice, and then refuses connections for three seconds.
func cutConnections(t *testing.T, s *setup, _ *audit.Audit) int {
	for range 2 {
		if n := s.apiProxy.Cut(); n == 0 {
			t.Error("no connection was open, want at least one to cut")
		}
		time.Sleep(3 * time.Second)
	}
	s.apiProxy.Refuse(true)
	time.Sleep(3 * time.Second)
	s.apiProxy.Refuse(false)
	return 3
}

// scaleToZeroAndBack runs before the audit: while there is no replica, nothing is exposed.
func scaleToZeroAndBack(t *testing.T, s *setup) { s.resize(t, 0, 3) }

// doNothing waits three seconds.
func doNothing(*testing.T, *setup, *audit.Audit) int {
	time.Sleep(3 * time.Second)
	return 3
}

// interruptedScenarios returns changes from 3 replicas to 5 that are interrupted, one for each interruption at each
// step.
func interruptedScenarios(standby bool) []scenario {
	var all []scenario
	for _, way := range interruptions() {
		if way.standby != standby {
			continue
		}
		for i, step := range steps() {
			all = append(all, scenario{
				name: fmt.Sprintf("%s-%s", way.name, step.name), replicas: 3, standby: standby, short: way.short == i+1,
				atLeast: effects{moved: 50, switches: 1, started: way.started},
				act: func(t *testing.T, s *setup, a *audit.Audit) int {
					s.scale(t, 5)
					s.waitForTopology(t, step.name, step.reached)
					n := way.interrupt(t, s, a)
					s.scale(t, n)
					return n
				},
			})
		}
	}
	return all
}
