package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	library "github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/test/audit"
	"github.com/statefleet/statefleet/test/fleet"
)

// format is the version of the topology's format that this version of the program writes. nextFormat is the image of a
// version that writes the next one.
const (
	format     = 1
	nextFormat = "statefleet:next-format"

	// mixedSwitchTimeout is how long to wait for a fleet of two versions to switch after it was scaled. It need not
	// switch.
	mixedSwitchTimeout = 15 * time.Second
)

// binaryOf returns the path of the program for a pod's image.
func binaryOf(pod *corev1.Pod) (string, error) {
	if pod.Spec.Containers[0].Image == nextFormat {
		return fleet.BuildNextFormat()
	}
	return fleet.Build()
}

func upgradeScenarios() []scenario {
	return []scenario{{
		name: "rolling-upgrade-of-the-format", replicas: 3, standby: true, variant: variant{name: "upgraded"},
		before: buildNextFormat, act: upgradeAndBack, maxDelay: reconnectMaxDelay, replaces: true,
		atLeast: effects{moved: 500, switches: 4, started: 10, formats: []int{format, format + 1}},
	}}
}

func buildNextFormat(t *testing.T, _ *setup) {
	if _, err := fleet.BuildNextFormat(); err != nil {
		t.Fatal(err)
	}
}

// upgradeAndBack upgrades the replicas to the next format and rolls them back, in two steps each, and scales the fleet
// before, in between and after.
func upgradeAndBack(t *testing.T, s *setup, _ *audit.Audit) int {
	s.resize(t, 4, 3) // so that the topology is written by this version
	before := s.image(t)
	t.Log("replica 2 gets the next version")
	s.setImage(t, nextFormat, 2)
	s.waitForMixed(t, 3)
	s.resizeMixed(t, 3, 4)
	t.Log("all get the next version")
	s.setImage(t, nextFormat, 0)
	s.settle(t, 3)
	s.resize(t, 4, 3)
	if !s.record.formats()[format+1] {
		t.Error("the fleet of the next version wrote no topology in the next format")
	}
	t.Log("replicas 1 and 2 go back")
	s.setImage(t, before, 1)
	s.waitForMixed(t, 3)
	if !slices.ContainsFunc(s.kubelet.Processes(), func(p *fleet.Replica) bool { return strings.Contains(p.Log(), "newer version") }) {
		t.Error("no replica of this version logged that the topology has a newer version")
	}
	s.resizeMixed(t, 3, 4)
	t.Log("all go back")
	s.setImage(t, before, 0)
	s.settle(t, 3)
	s.resize(t, 4, 2)
	return 2
}

// resizeMixed scales a fleet of two versions to n and back. The fleet may switch to n, or wait until all replicas have
// the same version. It must be scaled back, because the StatefulSet replaces no pod while a new one is not Ready.
func (s *setup) resizeMixed(t *testing.T, before, n int) {
	t.Helper()
	began := time.Now()
	s.scale(t, n)
	err := library.Until(t.Context(), mixedSwitchTimeout, "the fleet has switched", func(ctx context.Context) error { return s.checkFleet(ctx, n, true) })
	if err == nil {
		t.Logf("a fleet of two versions has switched to %d in %s", n, time.Since(began).Round(100*time.Millisecond))
	} else {
		t.Logf("a fleet of two versions has not switched to %d: %v", n, err)
	}
	s.scale(t, before)
	s.waitForMixed(t, before)
}

// waitForMixed waits until a fleet of n replicas of two versions serves n shards and is complete.
func (s *setup) waitForMixed(t *testing.T, n int) {
	t.Helper()
	fleet.Eventually(t, fmt.Sprintf("a fleet of %d with two versions", n), func(ctx context.Context) error { return s.checkFleet(ctx, n, true) })
	s.waitForCompleteness(t)
}

// setImage gives another image to the replicas with ordinals of at least from.
func (s *setup) setImage(t *testing.T, image string, from int32) {
	t.Helper()
	s.changeSet(t, func(set *appsv1.StatefulSet) {
		set.Spec.Template.Spec.Containers[0].Image = image
		set.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{Partition: &from}
	})
}

// image returns the image in the fleet's pod template.
func (s *setup) image(t *testing.T) string {
	t.Helper()
	set, err := s.cluster.Client().AppsV1().StatefulSets(namespace).Get(t.Context(), setName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return set.Spec.Template.Spec.Containers[0].Image
}
