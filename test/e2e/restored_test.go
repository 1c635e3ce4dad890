package e2e

import (
	"context"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/test/audit"
)

const (
	// correctedWithin is how long expositions may contain objects that the backup lacks, or lack objects that it has:
	// until a consistency check has noticed that versions went back.
	correctedWithin = 2 * time.Minute

	// rereadWithin is how long the objects of replicas that the backup lacks may be missing. The other replicas read the
	// topology ConfigMap without its watch twice a minute, and then have to list.
	rereadWithin = time.Minute
)

// restoreScenarios returns scenarios that restore etcd from a backup, so that the versions of all objects go back.
func restoreScenarios() []scenario {
	checks := variant{name: "checks often", changeTemplate: func(pods *corev1.PodTemplateSpec) {
		pods.Spec.Containers[0].Args = append(pods.Spec.Containers[0].Args, "--consistency.check-interval=3s")
	}}
	var same, smaller func()
	return []scenario{
		{
			name: "etcd-restored", replicas: 3, variant: checks, maxDelay: correctedWithin, rediscovers: true,
			before: func(t *testing.T, s *setup) { same = s.backUp(t, 3) },
			act: func(t *testing.T, s *setup, _ *audit.Audit) int {
				s.resize(t, 5, 3)
				s.restoreBackup(t, same, func() { s.resize(t, 5) })
				return 5
			},
			atLeast: effects{moved: 300, switches: 3, started: 4, versionBack: true},
		},
		{
			name: "etcd-restored-to-a-smaller-fleet", replicas: 3, variant: checks, maxDelay: correctedWithin, rediscovers: true, gaps: true, gapWithin: rereadWithin,
			before: func(t *testing.T, s *setup) {
				smaller = s.backUp(t, 3)
				s.resize(t, 5)
			},
			act: func(t *testing.T, s *setup, _ *audit.Audit) int {
				s.restoreBackup(t, smaller, func() {
					began := time.Now()
					s.settle(t, 3)
					t.Logf("the fleet of 3 is complete %s after the API server was back", time.Since(began).Round(100*time.Millisecond))
					s.resize(t, 4)
				})
				return 4
			},
			atLeast: effects{moved: 150, switches: 2, started: 1, versionBack: true},
		},
		restoreWarmScenario(),
	}
}

// backUp backs up the cluster, waits until its fleet of n replicas is settled again, and returns a function that
// restores the backup.
func (s *setup) backUp(t *testing.T, n int) (restore func()) {
	restore = s.cluster.Backup(t)
	s.settle(t, n)
	return restore
}

// restoreBackup restores a backup as an operator does: it restarts everything that keeps state of the API server,
// except the fleet. Then it calls then. So little is written meanwhile that resource versions stay below those before
// the restore.
func (s *setup) restoreBackup(t *testing.T, restore, then func()) {
	s.churnPaused.Store(true)
	defer s.churnPaused.Store(false)
	before := s.version(t)
	s.stopControllers()
	restore()
	after := s.version(t)
	s.objects.Relist(t)
	s.kubelet.Restart(t)
	s.startControllers(t)
	if err := s.prometheus.Rediscover(); err != nil {
		t.Fatal(err)
	}
	then()
	now := s.version(t)
	t.Logf("resourceVersion went back from %d to %d, and is %d now", before, after, now)
	if after >= before || now >= before {
		t.Error("resourceVersion is not lower than before the restore, so the scenario proves nothing")
	}
}

// version returns the cluster's current resourceVersion.
func (s *setup) version(t *testing.T) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	list, err := s.cluster.Client().CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	version, err := strconv.Atoi(list.ResourceVersion)
	if err != nil {
		t.Fatal(err)
	}
	return version
}
