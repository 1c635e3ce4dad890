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
	// crawl is the rate, in bytes a second, at which a list of pods is not complete before a scenario says so.
	crawl = 5_000

	// What the pods of a fleet have that leaves while a survivor cannot run.
	drainTimeout = 20 * time.Second
	gracePeriod  = 40 // seconds
)

// shrinks are changes to fewer replicas in which not everything goes as it should.
func shrinks() []scenario {
	shortDrain := variant{name: "drains for a short time", pods: func(pods *corev1.PodTemplateSpec) {
		grace := int64(gracePeriod)
		pods.Spec.TerminationGracePeriodSeconds = &grace
		pods.Spec.Containers[0].Args = append(pods.Spec.Containers[0].Args, "--drain-timeout="+drainTimeout.String())
	}}
	gated := variant{name: "gated", gated: true}
	back := did{moved: 300, switches: 2, started: 3}
	return []scenario{
		{
			name: "shrink-with-a-dead-survivor", replicas: 5, variant: shortDrain, before: survivorDies, act: shrinkWithoutIt,
			absent: absentWhileDead, late: belatedly, did: did{moved: 100, switches: 1, started: 1},
		},
		{name: "shrink-and-back", replicas: 5, variant: gated, act: backBeforeTheSwitch, late: belatedly, did: back},
		{name: "shrink-and-back-when-scheduled", replicas: 5, variant: gated, act: backWhenScheduled, did: back},
	}
}

// dead is the replica that cannot run, and left what is left of the fleet of five.
const dead, left = 1, 3

// survivorDies has the pod of a replica replaced by one for which there is no room.
func survivorDies(t *testing.T, s *stage) {
	name := podName(dead)
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
			err = errors.New("it is not")
		}
		return err
	})
}

// shrinkWithoutIt scales the fleet down, and lets the dead replica run when those that leave have left.
func shrinkWithoutIt(t *testing.T, s *stage, _ *audit.Audit) int {
	s.scale(t, left)
	fleet.Eventually(t, "the others serve, and those that leave are gone", func(context.Context) error {
		if running := s.kubelet.Running(); len(running) != left-1 {
			return fmt.Errorf("%d replicas run", len(running))
		}
		return nil
	})
	share := audit.Coverage(t.Context(), audit.Options{Cluster: s.objects, Pages: s.pages, Late: promptly})
	t.Logf("a share of %.2f of the objects is on a page when those that leave are gone", share)
	if now, err := s.topology(t.Context()); err != nil || now.Active != left {
		t.Errorf("the fleet has not switched before those that leave were gone: %+v, %v", now, err)
	}
	s.kubelet.Release(podName(dead))
	return left
}

// absentWhileDead allows what the dead replica owns by the table of the time to be missing, and nothing else.
func absentWhileDead(s *stage) func(uid string, from time.Time) bool {
	owns := func(total int, uid string) bool {
		return shard.Assignment{Ordinal: dead, Total: total}.Ranges().Contains(shard.Hash(uid))
	}
	return func(uid string, from time.Time) bool {
		return owns(5, uid) || owns(left, uid) && from.After(s.record.switchedTo(left))
	}
}

// backBeforeTheSwitch scales down and up again before the two that stay hold their halves.
func backBeforeTheSwitch(t *testing.T, s *stage, _ *audit.Audit) int {
	t.Cleanup(func() { s.slow.rate.Store(0) })
	s.slow.rate.Store(crawl)
	s.scale(t, 2)
	s.until(t, "on the way to 2", func(now topology) bool { return now.Target == 2 })
	s.awaitDeletion(t, 2, 3, 4)
	s.scale(t, 5)
	time.Sleep(2 * time.Second)
	if n := s.record.switches(); n > 0 {
		t.Error("the fleet has switched before it was scaled back")
	}
	s.slow.rate.Store(0)
	return s.backTo(t, 5)
}

// backWhenScheduled scales down, and up again in the two seconds before the switch.
func backWhenScheduled(t *testing.T, s *stage, _ *audit.Audit) int {
	s.scale(t, 2)
	s.until(t, "about to switch", func(now topology) bool { return now.Target == 2 && !now.SwitchAt.IsZero() || now.Active == 2 })
	s.awaitDeletion(t, 2, 3, 4)
	if n := s.record.switches(); n > 0 {
		t.Error("the fleet has switched before it was scaled back")
	}
	return s.backTo(t, 5)
}

// backTo scales and waits until pods that were being deleted have been replaced.
func (s *stage) backTo(t *testing.T, n int) int {
	s.scale(t, n)
	pods := s.cluster.Client().CoreV1().Pods(namespace)
	fleet.Eventually(t, "no pod is being deleted", func(ctx context.Context) error {
		for ordinal := range n {
			pod, err := pods.Get(ctx, podName(ordinal), metav1.GetOptions{})
			if err != nil {
				return err
			}
			if pod.DeletionTimestamp != nil {
				return fmt.Errorf("%s is", pod.Name)
			}
		}
		return nil
	})
	return n
}

// awaitDeletion waits until the pods of ordinals have been told to end.
func (s *stage) awaitDeletion(t *testing.T, ordinals ...int) {
	t.Helper()
	pods := s.cluster.Client().CoreV1().Pods(namespace)
	fleet.Eventually(t, fmt.Sprintf("%v are being deleted", ordinals), func(ctx context.Context) error {
		for _, ordinal := range ordinals {
			pod, err := pods.Get(ctx, podName(ordinal), metav1.GetOptions{})
			if err != nil {
				return err
			}
			if pod.DeletionTimestamp == nil {
				return fmt.Errorf("%s is not", pod.Name)
			}
		}
		return nil
	})
}
