package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/test/audit"
	"github.com/statefleet/statefleet/test/fleet"
)

const (
	// crawlListRate is the rate, in bytes per second, at which a list of pods does not complete before the scenario
	// lifts it.
	crawlListRate = 5_000

	// Settings of the pods of the fleet that shrinks while a survivor cannot run.
	drainTimeout = 20 * time.Second
	gracePeriod  = 40 // seconds
)

// shrinkScenarios returns scenarios that scale the fleet down, and in which something else happens at the same time.
func shrinkScenarios() []scenario {
	shortDrain := variant{name: "drains for a short time", changeTemplate: func(pods *corev1.PodTemplateSpec) {
		grace := int64(gracePeriod)
		pods.Spec.TerminationGracePeriodSeconds = &grace
		pods.Spec.Containers[0].Args = append(pods.Spec.Containers[0].Args, "--drain-timeout="+drainTimeout.String())
	}}
	gated := variant{name: "gated", gated: true}
	back := effects{moved: 300, switches: 2, started: 3}
	return []scenario{
		{
			name: "shrink-with-a-dead-survivor", replicas: 5, variant: shortDrain, before: makeSurvivorPending, act: shrinkWithDeadReplica,
			absent: absentWhileDead, maxDelay: reconnectMaxDelay, atLeast: effects{moved: 100, switches: 1, started: 1},
		},
		{name: "shrink-and-back", replicas: 5, variant: gated, act: scaleBackBeforeSwitch, maxDelay: reconnectMaxDelay, atLeast: back},
		{name: "shrink-and-back-when-scheduled", replicas: 5, variant: gated, act: scaleBackWhenScheduled, atLeast: back},
	}
}

// deadOrdinal is the replica that cannot run. remaining is the number of replicas to which the fleet of five is scaled.
const deadOrdinal, remaining = 1, 3

// makeSurvivorPending deletes the pod of a replica that is to stay. The new pod stays Pending, as if no node had room
// for it.
func makeSurvivorPending(t *testing.T, s *setup) {
	name := podName(deadOrdinal)
	s.kubelet.Hold(name)
	t.Cleanup(func() { s.kubelet.Release(name) })
	pods := s.cluster.Client().CoreV1().Pods(namespace)
	before, err := pods.Get(t.Context(), name, metav1.GetOptions{})
	if err == nil {
		err = pods.Delete(t.Context(), name, metav1.DeleteOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	fleet.Eventually(t, name+" is pending", func(ctx context.Context) error {
		now, err := pods.Get(ctx, name, metav1.GetOptions{})
		if err == nil && (now.UID == before.UID || now.Status.Phase != corev1.PodPending || s.kubelet.Replica(name) != nil) {
			err = errors.New("it was not replaced by a Pending pod without a process")
		}
		return err
	})
}

// shrinkWithDeadReplica scales the fleet down, and lets the dead replica run when the leaving replicas have ended.
func shrinkWithDeadReplica(t *testing.T, s *setup, _ *audit.Audit) int {
	s.scale(t, remaining)
	fleet.Eventually(t, "only the remaining replicas run, without the dead one", func(context.Context) error {
		if running := s.kubelet.Running(); len(running) != remaining-1 {
			return fmt.Errorf("%d replicas run, want %d", len(running), remaining-1)
		}
		return nil
	})
	share := audit.Coverage(t.Context(), audit.Options{Cluster: s.objects, Targets: s.targets, Late: defaultMaxDelay})
	t.Logf("a share of %.2f of the objects is exposed after the leaving replicas have ended", share)
	if now, err := s.topology(t.Context()); err != nil || now.Active != remaining {
		t.Errorf("the fleet had not switched when the leaving replicas ended: got %+v, error %v", now, err)
	}
	s.kubelet.Release(podName(deadOrdinal))
	return remaining
}

// absentWhileDead allows the objects of the dead replica to be missing, and no others: those that it owns by the table
// for 5, and after the switch also those that it owns by the table for 3.
func absentWhileDead(s *setup) func(uid string, from time.Time) bool {
	owns := func(total int, uid string) bool {
		return shard.Assignment{Ordinal: deadOrdinal, Total: total}.Ranges().Contains(shard.Hash(uid))
	}
	return func(uid string, from time.Time) bool {
		return owns(5, uid) || owns(remaining, uid) && from.After(s.record.switchedTo(remaining))
	}
}

// scaleBackBeforeSwitch scales down to 2, and up again before the two replicas that stay hold their halves.
func scaleBackBeforeSwitch(t *testing.T, s *setup, _ *audit.Audit) int {
	t.Cleanup(func() { s.slow.rate.Store(0) })
	s.slow.rate.Store(crawlListRate)
	s.scale(t, 2)
	s.waitForTopology(t, "target 2", func(now topology) bool { return now.Target == 2 })
	s.waitForDeletion(t, true, 2, 3, 4)
	s.scale(t, 5)
	time.Sleep(2 * time.Second)
	if n := s.record.switches(); n > 0 {
		t.Errorf("got %d switches before the fleet was scaled back, want 0", n)
	}
	s.slow.rate.Store(0)
	return s.scaleBack(t)
}

// scaleBackWhenScheduled scales down to 2, and up again in the two seconds between the scheduling of the switch and the
// switch.
func scaleBackWhenScheduled(t *testing.T, s *setup, _ *audit.Audit) int {
	s.scale(t, 2)
	s.waitForTopology(t, "switch to 2 scheduled", func(now topology) bool { return now.Target == 2 && !now.SwitchAt.IsZero() || now.Active == 2 })
	s.waitForDeletion(t, true, 2, 3, 4)
	if n := s.record.switches(); n > 0 {
		t.Errorf("got %d switches before the fleet was scaled back, want 0", n)
	}
	return s.scaleBack(t)
}

// scaleBack scales to 5 replicas, and waits until pods that were being deleted have been replaced.
func (s *setup) scaleBack(t *testing.T) int {
	s.scale(t, 5)
	s.waitForDeletion(t, false, 0, 1, 2, 3, 4)
	return 5
}

// waitForDeletion waits until each pod of some ordinals exists, and has a deletion timestamp or has none.
func (s *setup) waitForDeletion(t *testing.T, deleted bool, ordinals ...int) {
	t.Helper()
	pods := s.cluster.Client().CoreV1().Pods(namespace)
	fleet.Eventually(t, fmt.Sprintf("pods %v are being deleted: %t", ordinals, deleted), func(ctx context.Context) error {
		for _, ordinal := range ordinals {
			pod, err := pods.Get(ctx, podName(ordinal), metav1.GetOptions{})
			if err != nil {
				return err
			}
			if (pod.DeletionTimestamp != nil) != deleted {
				return fmt.Errorf("%s is being deleted: %t", pod.Name, !deleted)
			}
		}
		return nil
	})
}
