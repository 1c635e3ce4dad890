package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/statefleet/statefleet/test/audit"
)

// warmReplicas is the size of the fleets of warmRestartScenarios.
const warmReplicas = 3

// warmRestartScenarios returns scenarios that restart replicas with a saved state.
func warmRestartScenarios() []scenario {
	warm := func(sc scenario, read string, restart func(t *testing.T, s *setup, a *audit.Audit)) scenario {
		sc.replicas, sc.standby, sc.variant = warmReplicas, true, variant{name: "saves its state", savesState: true}
		sc.before, sc.atLeast = saveStates, effects{moved: 300, started: warmReplicas}
		sc.act = func(t *testing.T, s *setup, a *audit.Audit) int {
			restart(t, s, a)
			s.settle(t, warmReplicas)
			s.checkStateReads(t, read)
			return warmReplicas
		}
		return sc
	}
	return []scenario{
		warm(scenario{name: "rollout-warm", replaces: true, short: true}, "loaded",
			func(t *testing.T, s *setup, a *audit.Audit) { rollout(t, s, a) }),
		warm(scenario{name: "kill-9-warm"}, "loaded", func(t *testing.T, s *setup, a *audit.Audit) { killEach(t, s, a) }),
		warm(scenario{name: "snapshot-corrupt"}, "damaged", func(t *testing.T, s *setup, a *audit.Audit) {
			for ordinal := range warmReplicas {
				s.damageState(t, ordinal)
				s.kill(t, a, ordinal)
				s.settle(t, warmReplicas)
			}
		}),
	}
}

// restoreWarmScenario restores etcd from a backup and then kills each replica, whose saved state has newer versions.
// The backup has other pods than those that run, so all pods are replaced at once, and objects may be missing
// meanwhile. The expositions must show what the backup has.
func restoreWarmScenario() scenario {
	var restore func()
	return scenario{
		name: "etcd-restored-warm", replicas: warmReplicas, standby: true, maxDelay: correctedWithin, rediscovers: true, gaps: true, gapWithin: rereadWithin,
		variant: variant{name: "saves its state and checks often", savesState: true, changeTemplate: func(pods *corev1.PodTemplateSpec) {
			pods.Spec.Containers[0].Args = append(pods.Spec.Containers[0].Args, "--consistency.check-interval=3s")
		}},
		atLeast: effects{moved: 300, started: warmReplicas, versionBack: true},
		before: func(t *testing.T, s *setup) {
			restore = s.backUp(t, warmReplicas)
			s.resize(t, 5, warmReplicas) // the cluster changes, and the topology with it
			saveStates(t, s)
		},
		act: func(t *testing.T, s *setup, a *audit.Audit) int {
			s.restoreBackup(t, restore, func() {
				s.settle(t, warmReplicas) // by now, the previous pods have ended, which used the same directories
				killEach(t, s, a)
			})
			s.checkStateReads(t, "loaded") // and dropped again, because the expositions must show the backup
			return warmReplicas
		},
	}
}

// saveStates replaces all pods, so that each replica has a saved state.
func saveStates(t *testing.T, s *setup) {
	rollout(t, s, nil)
	s.settle(t, warmReplicas)
	time.Sleep(time.Second) // objects change meanwhile
}

// checkStateReads fails the test unless the current process of each replica has read its saved state once, with this
// result.
func (s *setup) checkStateReads(t *testing.T, result string) {
	t.Helper()
	for ordinal := range warmReplicas {
		page, err := s.kubelet.Replica(podName(ordinal)).SelfMetrics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n := page.Value("statefleet_saved_state_reads_total", "result", result); n != 1 {
			t.Errorf("%s: got %v reads of a saved state with result %q, want 1", podName(ordinal), n, result)
		}
	}
}

// makeStateDirs creates the directories that stand in for the replicas' volumes.
func makeStateDirs(t *testing.T) (path string) {
	t.Helper()
	path = t.TempDir()
	for ordinal := range 8 {
		if err := os.Mkdir(filepath.Join(path, podName(ordinal)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// damageState damages the saved state of a replica, in a way that depends on the ordinal.
func (s *setup) damageState(t *testing.T, ordinal int) {
	t.Helper()
	name := filepath.Join(s.states, podName(ordinal), "state")
	state, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	switch ordinal % 3 {
	case 0:
		state[len(state)/2] ^= 1
	case 1:
		state = state[:len(state)-1]
	default:
		state = append(state[:len(state)/3], bytes.Repeat([]byte("garbage"), 1000)...)
	}
	if err := os.WriteFile(name, state, 0o600); err != nil {
		t.Fatal(err)
	}
}
