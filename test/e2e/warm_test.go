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

// warmReplicas is how many replicas the fleets of warmRestarts have.
const warmReplicas = 3

// warmRestarts are restarts of replicas that save their state.
func warmRestarts() []scenario {
	variant := variant{name: "saves its state", saves: true}
	return []scenario{
		{
			name: "rollout-warm", replicas: warmReplicas, standby: true, variant: variant, replaces: true, short: true,
			before: saveStates, did: did{moved: 300, started: warmReplicas},
			act: func(t *testing.T, s *stage, a *audit.Audit) int {
				rollout(t, s, a)
				s.settle(t, warmReplicas)
				s.began(t, "loaded")
				return warmReplicas
			},
		},
		{
			name: "kill-9-warm", replicas: warmReplicas, standby: true, variant: variant,
			before: saveStates, did: did{moved: 300, started: warmReplicas},
			act: func(t *testing.T, s *stage, a *audit.Audit) int {
				killEach(t, s, a)
				s.began(t, "loaded")
				return warmReplicas
			},
		},
		{
			name: "snapshot-corrupt", replicas: warmReplicas, standby: true, variant: variant,
			before: saveStates, did: did{moved: 300, started: warmReplicas},
			act: func(t *testing.T, s *stage, a *audit.Audit) int {
				for ordinal := range warmReplicas {
					s.damageState(t, ordinal)
					s.kill(t, a, ordinal)
					s.settle(t, warmReplicas)
				}
				s.began(t, "damaged")
				return warmReplicas
			},
		},
	}
}

// restoresWarm restores etcd from a backup and then kills each replica, whose state has newer versions. The backup has
// other pods than those that run, so all are replaced at once: objects may be missing meanwhile. What is shown must be
// what the backup has.
func restoresWarm() scenario {
	var restore func()
	return scenario{
		name: "etcd-restored-warm", replicas: warmReplicas, standby: true, late: corrected, rediscovers: true, gaps: true, gapWithin: reread,
		variant: variant{name: "saves its state and checks often", saves: true, pods: func(pods *corev1.PodTemplateSpec) {
			pods.Spec.Containers[0].Args = append(pods.Spec.Containers[0].Args, "--consistency.check-interval=3s")
		}},
		did: did{moved: 300, started: warmReplicas, back: true},
		before: func(t *testing.T, s *stage) {
			restore = s.backUp(t, warmReplicas)
			for _, n := range []int{5, warmReplicas} { // the cluster moves on, and the topology with it
				s.scale(t, n)
				s.settle(t, n)
			}
			saveStates(t, s)
		},
		act: func(t *testing.T, s *stage, a *audit.Audit) int {
			s.restored(t, restore, func() {
				s.settle(t, warmReplicas) // and the pods before have ended, which used the directories
				killEach(t, s, a)
			})
			s.began(t, "loaded") // and dropped again: the pages must show the backup
			return warmReplicas
		},
	}
}

// saveStates replaces all pods, so that each replica has saved its state.
func saveStates(t *testing.T, s *stage) {
	rollout(t, s, nil)
	s.settle(t, warmReplicas)
	time.Sleep(time.Second) // something changes
}

// began fails the test unless the present process of each replica has begun with this result of reading a state.
func (s *stage) began(t *testing.T, result string) {
	t.Helper()
	for ordinal := range warmReplicas {
		page, err := s.kubelet.Replica(podName(ordinal)).SelfMetrics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n := page.Value("statefleet_saved_state_reads_total", "result", result); n != 1 {
			t.Errorf("%s: %v states were %s, want 1", podName(ordinal), n, result)
		}
	}
}

// makeStateDirs makes the volumes of the replicas.
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

// damageState damages the state of a replica, each in another way.
func (s *stage) damageState(t *testing.T, ordinal int) {
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
