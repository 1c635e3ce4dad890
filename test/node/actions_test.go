//go:build linux

package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
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
	// brokenFor is how long a rollout to an image that does not exist is left stuck.
	brokenFor = 15 * time.Second
	// downFor is how long a killed service of a node stays down.
	downFor = 10 * time.Second
)

func rollout(t *testing.T, s *setup) { s.rollOut(t) }

func deletePod(t *testing.T, s *setup) { s.replacePod(t, "statefleet-1", nil) }

// killProcess kills the process of statefleet-1 as the kernel does when memory runs out.
func killProcess(t *testing.T, s *setup) { s.restartProcess(t, "statefleet-1", syscall.SIGKILL) }

func scaleUpAndDown(t *testing.T, s *setup) {
	for _, replicas := range []int{5, 2, 3} {
		s.patchSet(t, fmt.Sprintf(`{"spec": {"replicas": %d}}`, replicas))
		s.waitReady(t, replicas)
	}
}

// drain cordons the node that runs most of the fleet, evicts the fleet's pods there, one after the other, as the
// PodDisruptionBudget demands, and uncordons the node.
func drain(t *testing.T, s *setup) {
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
		t.Errorf("none of %d evictions from %s was refused, want the PodDisruptionBudget to refuse at least one", count[node], node)
	}
	s.waitReady(t, 3)
}

// cordon marks a node as unschedulable, and returns a function that reverts that.
func (s *setup) cordon(t *testing.T, node string) (uncordon func()) {
	t.Helper()
	setUnschedulable := func(on bool) {
		patch := fmt.Appendf(nil, `{"spec": {"unschedulable": %t}}`, on)
		_, err := s.client.CoreV1().Nodes().Patch(context.Background(), node, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
		if err != nil {
			t.Error(err)
		}
	}
	setUnschedulable(true)
	return func() { setUnschedulable(false) }
}

// evict evicts a pod as soon as that is allowed, and returns how many times the eviction was refused.
func (s *setup) evict(t *testing.T, p corev1.Pod) (refused int) {
	t.Helper()
	eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: p.Namespace}}
	await(t, 2*time.Minute, p.Name+" is evicted", func() bool {
		err := s.client.PolicyV1().Evictions(p.Namespace).Evict(t.Context(), eviction)
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
	return refused
}

// setImage changes the image in the fleet's pod template.
func (s *setup) setImage(t *testing.T, image string) {
	t.Helper()
	s.patchSet(t, fmt.Sprintf(`{"spec": {"template": {"spec": {"containers": [{"name": "statefleet", "image": %q}]}}}}`, image))
}

// rollOutMissingImage rolls out an image that does not exist, and rolls back after brokenFor.
func rollOutMissingImage(t *testing.T, s *setup) {
	s.setImage(t, "localhost/absent:none")
	stuck := func(p corev1.Pod) bool {
		return len(p.Status.ContainerStatuses) == 1 && p.Status.ContainerStatuses[0].State.Waiting != nil &&
			strings.Contains(p.Status.ContainerStatuses[0].State.Waiting.Reason, "Image")
	}
	await(t, time.Minute, "a pod cannot pull its image", func() bool { return slices.ContainsFunc(s.pods(t), stuck) })
	time.Sleep(brokenFor)
	s.setImage(t, s.image)
	s.waitRollout(t)
}

// killService kills a service of the node that runs statefleet-1, or the API server, and starts it again after downFor.
// It returns when a Job that was created after that has succeeded.
func killService(name string) func(t *testing.T, s *setup) {
	return func(t *testing.T, s *setup) {
		m := s.machines[0]
		if name != "apiserver" && s.pod(t, "statefleet-1").Spec.NodeName == "node-2" {
			m = s.machines[1]
		}
		restart, err := s.kill(m, name)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(downFor)
		if err := restart(); err != nil {
			t.Fatal(err)
		}
		since := time.Now()
		await(t, 2*time.Minute, "a job has succeeded after the restart of "+name, func() bool { // the load of the cluster continues
			jobs, err := s.client.BatchV1().Jobs("default").List(t.Context(), metav1.ListOptions{})
			return err == nil && slices.ContainsFunc(jobs.Items, func(j batchv1.Job) bool {
				return j.Status.Succeeded == 1 && j.CreationTimestamp.After(since)
			})
		})
	}
}
