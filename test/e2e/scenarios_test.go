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

// scenarios are all of them. Those without standby come first.
func scenarios() []scenario {
	return slices.Concat(
		[]scenario{
			{name: "scale", replicas: 1, act: scaling(3, 5, 2, 3), short: true, did: did{moved: 500, switches: 4, started: 5}},
			{name: "rollout-without-standby", replicas: 3, act: rollout, replaces: true, gaps: true, did: did{started: 3}},
			{name: "api-server-restart", replicas: 3, act: restart, late: belatedly, short: true},
			{name: "watches-cut", replicas: 3, act: cut, late: belatedly, short: true},
			{name: "scale-to-0-and-back", replicas: 3, before: toNoneAndBack, act: stay, short: true},
		},
		interrupted(false),
		[]scenario{
			{name: "scale-with-standby", replicas: 1, standby: true, act: scaling(3, 5, 2, 3), did: did{moved: 500, switches: 4, started: 5}},
			{name: "rollout", replicas: 3, standby: true, act: rollout, replaces: true, short: true, did: did{moved: 300, started: 3}},
			{name: "kill-each", replicas: 3, standby: true, act: killEach, short: true, did: did{moved: 300, started: 3}},
			{name: "api-server-restart-with-standby", replicas: 3, standby: true, act: restart, late: belatedly},
			{name: "watches-cut-with-standby", replicas: 3, standby: true, act: cut, late: belatedly},
		},
		interrupted(true),
		shrinks(),
		upgrades(),
		outOfMemory(),
		warmRestarts(),
		restores(), // last: the cluster's versions go back
	)
}

// scaling scales the fleet through all the given sizes, each time when the last change is over.
func scaling(sizes ...int) func(*testing.T, *stage, *audit.Audit) int {
	return func(t *testing.T, s *stage, _ *audit.Audit) int {
		for _, n := range sizes {
			began := time.Now()
			s.scale(t, n)
			s.settle(t, n)
			t.Logf("to %d in %s", n, time.Since(began).Round(100*time.Millisecond))
		}
		return sizes[len(sizes)-1]
	}
}

// rollout replaces every pod, as a new image would.
func rollout(t *testing.T, s *stage, _ *audit.Audit) int {
	set := s.changePods(t, func(pods *corev1.PodTemplateSpec) {
		pods.Annotations = map[string]string{"rolled-out-at": time.Now().Format(time.RFC3339Nano)}
	})
	return int(*set.Spec.Replicas)
}

// killEach kills one replica after the other, each when the one before is Ready again.
func killEach(t *testing.T, s *stage, a *audit.Audit) int {
	const replicas = 3
	for ordinal := range replicas {
		s.kill(t, a, ordinal)
		s.settle(t, replicas)
	}
	return replicas
}

// kill kills the process of an ordinal once there is one, and waits until the kubelet has noticed.
func (s *stage) kill(t *testing.T, a *audit.Audit, ordinal int) {
	t.Helper()
	name := podName(ordinal)
	fleet.Eventually(t, "a process of "+name, func(context.Context) error {
		if s.kubelet.Replica(name) == nil {
			return errors.New("there is none")
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

func restart(t *testing.T, s *stage, _ *audit.Audit) int {
	if err := s.cluster.Restart(nil); err != nil {
		t.Fatal(err)
	}
	return 3
}

// cut cuts the connections of all replicas, twice at once and then for a while.
func cut(t *testing.T, s *stage, _ *audit.Audit) int {
	for range 2 {
		if n := s.wire.Cut(); n == 0 {
			t.Error("there was nothing to cut")
		}
		time.Sleep(3 * time.Second)
	}
	s.wire.Refuse(true)
	time.Sleep(3 * time.Second)
	s.wire.Refuse(false)
	return 3
}

// toNoneAndBack promises nothing while there is no replica, and everything after it.
func toNoneAndBack(t *testing.T, s *stage) {
	for _, n := range []int{0, 3} {
		s.scale(t, n)
		s.settle(t, n)
	}
}

// stay does nothing for a while.
func stay(*testing.T, *stage, *audit.Audit) int {
	time.Sleep(3 * time.Second)
	return 3
}

// interrupted are changes from 3 replicas to 5 that are interrupted, each in every way at each of its steps.
func interrupted(standby bool) []scenario {
	var all []scenario
	for _, way := range interruptions() {
		if way.standby != standby {
			continue
		}
		for i, step := range steps() {
			all = append(all, scenario{
				name: fmt.Sprintf("%s-%s", way.name, step.name), replicas: 3, standby: standby, short: way.short == i+1,
				did: did{moved: 50, switches: 1, started: way.started},
				act: func(t *testing.T, s *stage, a *audit.Audit) int {
					s.scale(t, 5)
					s.await(t, step)
					n := way.interrupt(t, s, a)
					s.scale(t, n)
					return n
				},
			})
		}
	}
	return all
}
