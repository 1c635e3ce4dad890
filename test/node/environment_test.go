//go:build linux

package node

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// namespace is where the fleet is installed.
const namespace = "statefleet"

// environment is a namespace with a fleet, whose pods a real kubelet or the process kubelet runs.
type environment struct {
	client kubernetes.Interface
	// signal sends a signal to the process of a pod.
	signal func(t *testing.T, pod string, s syscall.Signal)
}

// await waits until a condition holds. It fails the test if that takes longer than timeout. what names the condition.
func await(t *testing.T, timeout time.Duration, what string, condition func() bool) {
	t.Helper()
	if err := waitFor(timeout, condition); err != nil {
		t.Fatalf("waiting until %s: %v", what, err)
	}
}

// awaitPod waits until a condition of a pod holds, and returns the pod.
func (e environment) awaitPod(t *testing.T, name, what string, condition func(corev1.Pod) bool) corev1.Pod {
	t.Helper()
	var pod *corev1.Pod
	err := waitFor(2*time.Minute, func() bool {
		got, err := e.client.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
		pod = got
		return err == nil && condition(*got)
	})
	if err != nil {
		t.Fatalf("waiting until %s %s: %v; got %+v", name, what, err, pod)
	}
	return *pod
}

// pods returns the pods of the fleet.
func (e environment) pods(t *testing.T) []corev1.Pod {
	t.Helper()
	list, err := e.client.CoreV1().Pods(namespace).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

func (e environment) pod(t *testing.T, name string) corev1.Pod {
	t.Helper()
	pod, err := e.client.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return *pod
}

// waitReady waits until the fleet has exactly the given number of pods and all are ready. It returns the pods.
func (e environment) waitReady(t *testing.T, replicas int) []corev1.Pod {
	t.Helper()
	err := waitFor(2*time.Minute, func() bool {
		pods := e.pods(t)
		return countReady(pods) == replicas && len(pods) == replicas
	})
	if err != nil {
		for _, p := range e.pods(t) {
			t.Logf("%s on %s: %s %+v", p.Name, p.Spec.NodeName, p.Status.Phase, p.Status.ContainerStatuses)
		}
		t.Fatalf("waiting for %d ready pods: %v", replicas, err)
	}
	return e.pods(t)
}

// countReady returns how many pods are ready and not being deleted.
func countReady(pods []corev1.Pod) (n int) {
	for _, p := range pods {
		if p.DeletionTimestamp == nil && podReady(p) {
			n++
		}
	}
	return n
}

func podReady(p corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func restarts(p corev1.Pod) (n int) {
	for _, c := range p.Status.ContainerStatuses {
		n += int(c.RestartCount)
	}
	return n
}

// replacePod deletes a pod and waits until a new pod with its name exists. A nil grace period is that of the pod.
func (e environment) replacePod(t *testing.T, name string, grace *int64) {
	t.Helper()
	before := e.pod(t, name)
	err := e.client.CoreV1().Pods(namespace).Delete(t.Context(), name, metav1.DeleteOptions{GracePeriodSeconds: grace})
	if err != nil {
		t.Fatal(err)
	}
	e.awaitPod(t, name, "is replaced", func(p corev1.Pod) bool { return p.UID != before.UID })
}

// restartProcess sends a signal to the process of a pod, waits until the kubelet has restarted the container and the
// pod is ready, and returns the pod.
func (e environment) restartProcess(t *testing.T, name string, signal syscall.Signal) corev1.Pod {
	t.Helper()
	before := e.pod(t, name)
	e.signal(t, name, signal)
	return e.awaitPod(t, name, "runs again", func(p corev1.Pod) bool { return podReady(p) && restarts(p) > restarts(before) })
}

// patchSet patches the StatefulSet of the fleet.
func (e environment) patchSet(t *testing.T, patch string) {
	t.Helper()
	_, err := e.client.AppsV1().StatefulSets(namespace).Patch(t.Context(), "statefleet", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// wantReplicas returns the number of replicas in the spec of the fleet's StatefulSet.
func (e environment) wantReplicas(t *testing.T) int {
	t.Helper()
	set, err := e.client.AppsV1().StatefulSets(namespace).Get(t.Context(), "statefleet", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return int(*set.Spec.Replicas)
}

// rollOut restarts the pods with a rolling update, and waits until it is complete.
func (e environment) rollOut(t *testing.T) {
	t.Helper()
	e.patchSet(t, fmt.Sprintf(`{"spec": {"template": {"metadata": {"annotations": {"restarted": %q}}}}}`, time.Now().Format(time.RFC3339Nano)))
	e.waitRollout(t)
}

// waitRollout waits until all pods have the latest template and are ready.
func (e environment) waitRollout(t *testing.T) {
	t.Helper()
	await(t, 5*time.Minute, "the rollout is complete", func() bool {
		set, err := e.client.AppsV1().StatefulSets(namespace).Get(t.Context(), "statefleet", metav1.GetOptions{})
		return err == nil && set.Status.ObservedGeneration == set.Generation && set.Status.UpdatedReplicas == *set.Spec.Replicas &&
			set.Status.ReadyReplicas == *set.Spec.Replicas && set.Status.CurrentRevision == set.Status.UpdateRevision
	})
}
