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
	// corrected is how long pages may show objects that a backup did not have, or not show those that it had: until a
	// check has noticed that the cluster is another one.
	corrected = 2 * time.Minute

	// reread is how long the objects of replicas that a backup did not have may be missing: the others read the
	// topology past their watches twice a minute, and then have to list.
	reread = time.Minute
)

// restores take etcd back to a backup, and with it the versions of all objects.
func restores() []scenario {
	checks := variant{name: "checks often", pods: func(pods *corev1.PodTemplateSpec) {
		pods.Spec.Containers[0].Args = append(pods.Spec.Containers[0].Args, "--consistency.check-interval=3s")
	}}
	var same, smaller func()
	return []scenario{
		{
			name: "etcd-restored", replicas: 3, variant: checks, late: corrected, rediscovers: true,
			before: func(t *testing.T, s *stage) { same = s.backUp(t, 3) },
			act:    func(t *testing.T, s *stage, _ *audit.Audit) int { return s.restoreTheSame(t, same) },
			did:    did{moved: 300, switches: 3, started: 4, back: true},
		},
		{
			name: "etcd-restored-to-a-smaller-fleet", replicas: 3, variant: checks, late: corrected, rediscovers: true, gaps: true, gapWithin: reread,
			before: func(t *testing.T, s *stage) {
				smaller = s.backUp(t, 3)
				s.scale(t, 5)
				s.settle(t, 5)
			},
			act: func(t *testing.T, s *stage, _ *audit.Audit) int { return s.restoreSmaller(t, smaller) },
			did: did{moved: 150, switches: 2, started: 1, back: true},
		},
		restoresWarm(),
	}
}

// backUp returns what restores the cluster as it is now, with a fleet of n replicas.
func (s *stage) backUp(t *testing.T, n int) (restore func()) {
	restore = s.cluster.Backup(t)
	s.settle(t, n)
	return restore
}

// restoreTheSame restores a fleet of three replicas, which was another one in between, and scales it.
func (s *stage) restoreTheSame(t *testing.T, restore func()) int {
	for _, n := range []int{5, 3} {
		s.scale(t, n)
		s.settle(t, n)
	}
	s.restored(t, restore, func() { s.scaleWithin(t, 5) })
	return 5
}

// restoreSmaller restores a fleet of three replicas which has five since.
func (s *stage) restoreSmaller(t *testing.T, restore func()) int {
	s.restored(t, restore, func() {
		began := time.Now()
		s.settle(t, 3)
		t.Logf("the fleet of 3 is complete %s after the API server was back", time.Since(began).Round(100*time.Millisecond))
		s.scaleWithin(t, 4)
	})
	return 4
}

func (s *stage) scaleWithin(t *testing.T, n int) {
	began := time.Now()
	s.scale(t, n)
	s.settle(t, n)
	t.Logf("to %d in %s", n, time.Since(began).Round(100*time.Millisecond))
}

// restored restores a backup as an operator does: everything that keeps state of the API server is started again, but
// for the fleet. Until then has come to an end, so little is written that the cluster is behind what it was before
// all the time.
func (s *stage) restored(t *testing.T, restore, then func()) {
	s.quiet.Store(true)
	defer s.quiet.Store(false)
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
	t.Logf("the cluster's version went back from %d to %d, and is %d now", before, after, now)
	if after >= before || now >= before {
		t.Error("the cluster's version is not behind what it was before, so that nothing is shown")
	}
}

// version is the cluster's present resourceVersion.
func (s *stage) version(t *testing.T) int {
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
