package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/test/audit"
	"github.com/statefleet/statefleet/test/fleet"
)

// nextFormat is the image of a version whose format of the topology is the next one, and format the one of this version.
const (
	format     = 1
	nextFormat = "statefleet:next-format"

	// mixedFor is how long a fleet that was scaled while replicas of two versions run may take to switch, if it does.
	mixedFor = 15 * time.Second
)

// binaryOf returns the program of a pod's image.
func binaryOf(pod *corev1.Pod) (string, error) {
	if pod.Spec.Containers[0].Image == nextFormat {
		return fleet.BuildNextFormat()
	}
	return fleet.Build()
}

func upgrades() []scenario {
	return []scenario{{
		name: "rolling-upgrade-of-the-format", replicas: 3, standby: true, variant: variant{name: "upgraded"},
		before: buildNextFormat, act: upgradeAndBack, late: belatedly, replaces: true,
		did: did{moved: 500, switches: 4, started: 10, formats: []int{format, format + 1}},
	}}
}

func buildNextFormat(t *testing.T, _ *stage) {
	if _, err := fleet.BuildNextFormat(); err != nil {
		t.Fatal(err)
	}
}

// upgradeAndBack replaces the replicas by those of the next format and back, with scaling before, in between and after.
func upgradeAndBack(t *testing.T, s *stage, _ *audit.Audit) int {
	s.resize(t, 4) // so that the topology is written by this version
	s.resize(t, 3)
	before := s.image(t)
	t.Log("replica 2 gets the next version")
	s.roll(t, nextFormat, 2)
	s.mixed(t, 3)
	s.resizeMixed(t, 3, 4)
	t.Log("all get the next version")
	s.roll(t, nextFormat, 0)
	s.settle(t, 3)
	s.resize(t, 4)
	s.resize(t, 3)
	if !s.record.formats()[format+1] {
		t.Error("the fleet of the next version has not written a topology of the next format")
	}
	t.Log("replicas 1 and 2 go back")
	s.roll(t, before, 1)
	s.mixed(t, 3)
	if s.said("newer version") == 0 {
		t.Error("no replica of this version has said that the topology is of a newer one")
	}
	s.resizeMixed(t, 3, 4)
	t.Log("all go back")
	s.roll(t, before, 0)
	s.settle(t, 3)
	s.resize(t, 4)
	s.resize(t, 2)
	return 2
}

func (s *stage) resize(t *testing.T, n int) {
	t.Helper()
	s.scale(t, n)
	s.settle(t, n)
}

// resizeMixed scales a fleet of two versions. It may switch, or wait until there is one version only; then it is scaled back,
// since the StatefulSet replaces no pod while a new one is not Ready.
func (s *stage) resizeMixed(t *testing.T, before, n int) {
	t.Helper()
	began := time.Now()
	s.scale(t, n)
	for time.Since(began) < mixedFor {
		if s.isMixed(t.Context(), n) == nil {
			t.Logf("a fleet of two versions has switched to %d in %s", n, time.Since(began).Round(100*time.Millisecond))
			break
		}
		time.Sleep(10 * fleet.Tick)
	}
	if s.isMixed(t.Context(), n) != nil {
		t.Logf("a fleet of two versions waits with %d: %v", n, s.isMixed(t.Context(), n))
	}
	s.scale(t, before)
	s.mixed(t, before)
}

// mixed waits for a fleet of n replicas, of which not all have the same version.
func (s *stage) mixed(t *testing.T, n int) {
	t.Helper()
	fleet.Eventually(t, fmt.Sprintf("a fleet of %d, of two versions", n), func(ctx context.Context) error { return s.isMixed(ctx, n) })
	s.isComplete(t)
}

func (s *stage) isMixed(ctx context.Context, n int) error {
	running := s.kubelet.Running()
	if len(running) != n {
		return fmt.Errorf("%d replicas run", len(running))
	}
	for _, r := range running {
		self, err := r.SelfMetrics(ctx)
		if err != nil {
			return err
		}
		if active, _ := self.Sum("statefleet_topology_active_shards", nil); int(active) != n {
			return fmt.Errorf("%s serves by %v", r.Pod, active)
		}
	}
	set, err := s.cluster.Client().AppsV1().StatefulSets(namespace).Get(ctx, setName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	partition := int(*set.Spec.UpdateStrategy.RollingUpdate.Partition)
	if now := set.Status; now.ObservedGeneration != set.Generation || int(now.ReadyReplicas) != n || int(now.Replicas) != n ||
		int(now.UpdatedReplicas) != n-partition {
		return fmt.Errorf("%d of %d pods are Ready, %d are updated", now.ReadyReplicas, now.Replicas, now.UpdatedReplicas)
	}
	return nil
}

// roll gives replicas from an ordinal on another image.
func (s *stage) roll(t *testing.T, image string, from int32) {
	t.Helper()
	s.changeSet(t, func(set *appsv1.StatefulSet) {
		set.Spec.Template.Spec.Containers[0].Image = image
		set.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{Partition: &from}
	})
}

// image is the one that the fleet has.
func (s *stage) image(t *testing.T) string {
	t.Helper()
	set, err := s.cluster.Client().AppsV1().StatefulSets(namespace).Get(t.Context(), setName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return set.Spec.Template.Spec.Containers[0].Image
}

// said is the number of processes that have logged a text.
func (s *stage) said(text string) (n int) {
	for _, log := range s.kubelet.Logs() {
		if strings.Contains(log, text) {
			n++
		}
	}
	return n
}
