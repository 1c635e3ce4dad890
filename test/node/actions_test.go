//go:build linux

package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// brokenFor is how long a rollout to an image that does not exist is left alone.
	brokenFor = 15 * time.Second
	// downFor is how long a service of a node stays away.
	downFor = 10 * time.Second
)

// patchSet changes the StatefulSet of the fleet.
func (s *site) patchSet(t *testing.T, patch string) {
	t.Helper()
	_, err := s.Client().AppsV1().StatefulSets(namespace).Patch(t.Context(), "statefleet", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// replicas is how many replicas the fleet is to have.
func (s *site) replicas(t *testing.T) int {
	t.Helper()
	set, err := s.Client().AppsV1().StatefulSets(namespace).Get(t.Context(), "statefleet", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return int(*set.Spec.Replicas)
}

// waitRollout waits until all pods have the latest template.
func (s *site) waitRollout(t *testing.T) {
	t.Helper()
	err := waitFor(5*time.Minute, func() bool {
		set, err := s.Client().AppsV1().StatefulSets(namespace).Get(t.Context(), "statefleet", metav1.GetOptions{})
		return err == nil && set.Status.ObservedGeneration == set.Generation && set.Status.UpdatedReplicas == *set.Spec.Replicas &&
			set.Status.ReadyReplicas == *set.Spec.Replicas && set.Status.CurrentRevision == set.Status.UpdateRevision
	})
	if err != nil {
		t.Fatalf("rollout: %v", err)
	}
}

func rollout(t *testing.T, s *site) {
	s.patchSet(t, fmt.Sprintf(`{"spec": {"template": {"metadata": {"annotations": {"restarted": %q}}}}}`, time.Now().Format(time.RFC3339Nano)))
	s.waitRollout(t)
}

func deletePod(t *testing.T, s *site) { s.replacePod(t, "statefleet-1") }

// replacePod deletes a pod and waits until there is another one of its name.
func (s *site) replacePod(t *testing.T, name string) {
	t.Helper()
	before := s.pods(t)
	if err := s.Client().CoreV1().Pods(namespace).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	err := waitFor(time.Minute, func() bool {
		return slices.ContainsFunc(s.pods(t), func(p corev1.Pod) bool {
			return p.Name == name && !slices.ContainsFunc(before, func(b corev1.Pod) bool { return b.UID == p.UID })
		})
	})
	if err != nil {
		t.Fatalf("another pod: %v", err)
	}
}

// killProcess kills the process of a replica as the kernel does when memory runs out.
func killProcess(t *testing.T, s *site) {
	for _, m := range s.machines {
		pids, err := m.run(t.Context(), "pgrep", "-f", "^/statefleet .*--pod=statefleet-1 ")
		if err != nil {
			continue // it runs on another node
		}
		if _, err := m.run(t.Context(), "kill", "-9", strings.Fields(pids)[0]); err != nil {
			t.Fatal(err)
		}
		err = waitFor(time.Minute, func() bool {
			p, err := s.Client().CoreV1().Pods(namespace).Get(t.Context(), "statefleet-1", metav1.GetOptions{})
			return err == nil && len(p.Status.ContainerStatuses) == 1 && p.Status.ContainerStatuses[0].RestartCount > 0
		})
		if err != nil {
			t.Fatalf("restart of the container: %v", err)
		}
		return
	}
	t.Fatal("no node runs statefleet-1")
}

func scaleUpAndDown(t *testing.T, s *site) {
	for _, replicas := range []int{5, 2, 3} {
		s.patchSet(t, fmt.Sprintf(`{"spec": {"replicas": %d}}`, replicas))
		s.waitReady(t, replicas)
	}
}

// drain cordons the node that runs most of the fleet, evicts the fleet's pods, one after the other, as its
// PodDisruptionBudget wants it, and admits pods to the node again.
func drain(t *testing.T, s *site) {
	count := map[string]int{}
	for _, p := range s.pods(t) {
		count[p.Spec.NodeName]++
	}
	node := "node-1"
	if count["node-2"] > count[node] {
		node = "node-2"
	}
	defer s.cordon(t, node)()
	refused := 0
	for _, p := range s.pods(t) {
		if p.Spec.NodeName == node {
			refused += s.evict(t, p)
		}
	}
	if refused == 0 {
		t.Errorf("%s ran %d of the fleet, and no eviction was refused: the budget was not tried", node, count[node])
	}
	s.waitReady(t, 3)
}

// cordon keeps new pods from a node until the function that it returns is called.
func (s *site) cordon(t *testing.T, node string) (uncordon func()) {
	t.Helper()
	mark := func(on bool) {
		patch := fmt.Appendf(nil, `{"spec": {"unschedulable": %t}}`, on)
		_, err := s.Client().CoreV1().Nodes().Patch(context.Background(), node, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
		if err != nil {
			t.Error(err)
		}
	}
	mark(true)
	return func() { mark(false) }
}

// evict evicts a pod as soon as that is allowed, and returns how many times it was refused.
func (s *site) evict(t *testing.T, p corev1.Pod) (refused int) {
	t.Helper()
	eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: p.Namespace}}
	err := waitFor(2*time.Minute, func() bool {
		err := s.Client().PolicyV1().Evictions(p.Namespace).Evict(t.Context(), eviction)
		if apierrors.IsTooManyRequests(err) {
			refused++
			time.Sleep(200 * time.Millisecond)
			return false
		}
		if err != nil && !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
		return true
	})
	if err != nil {
		t.Fatalf("%s cannot be evicted: %v", p.Name, err)
	}
	return refused
}

// setImage changes the image of the fleet.
func (s *site) setImage(t *testing.T, image string) {
	t.Helper()
	s.patchSet(t, fmt.Sprintf(`{"spec": {"template": {"spec": {"containers": [{"name": "statefleet", "image": %q}]}}}}`, image))
}

// rolloutToNothing rolls out an image that does not exist, and goes back to the one before.
func rolloutToNothing(t *testing.T, s *site) {
	s.setImage(t, "localhost/absent:none")
	stuck := func(p corev1.Pod) bool {
		return len(p.Status.ContainerStatuses) == 1 && p.Status.ContainerStatuses[0].State.Waiting != nil &&
			strings.Contains(p.Status.ContainerStatuses[0].State.Waiting.Reason, "Image")
	}
	if err := waitFor(time.Minute, func() bool { return slices.ContainsFunc(s.pods(t), stuck) }); err != nil {
		t.Fatalf("a pod that waits for its image: %v", err)
	}
	time.Sleep(brokenFor)
	s.setImage(t, s.image)
	s.waitRollout(t)
}

// killService kills a service of the node that runs statefleet-1, or the API server, and starts it again after a while.
func killService(name string) func(t *testing.T, s *site) {
	return func(t *testing.T, s *site) {
		m := s.machines[0]
		if name != "apiserver" {
			p, err := s.Client().CoreV1().Pods(namespace).Get(t.Context(), "statefleet-1", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if p.Spec.NodeName == "node-2" {
				m = s.machines[1]
			}
		}
		again, err := s.kill(m, name)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(downFor)
		if err := again(); err != nil {
			t.Fatal(err)
		}
		since := time.Now()
		err = waitFor(2*time.Minute, func() bool { // the load goes on, on this node as well
			jobs, err := s.Client().BatchV1().Jobs("default").List(t.Context(), metav1.ListOptions{})
			return err == nil && slices.ContainsFunc(jobs.Items, func(j batchv1.Job) bool {
				return j.Status.Succeeded == 1 && j.CreationTimestamp.After(since)
			})
		})
		if err != nil {
			t.Fatalf("jobs after %s is back: %v", name, err)
		}
	}
}
