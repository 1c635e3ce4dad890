//go:build linux

package node

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// loadedSeries is the self-metric that is 1 if a process has started with the saved state of a previous one.
const loadedSeries = `statefleet_saved_state_reads_total{result="loaded"}`

// TestSavedStateOutlivesAContainer checks that with the component saved-state, each process of a pod except the first
// starts with the state that an earlier one has saved in the pod's emptyDir, even if the previous process was killed.
func TestSavedStateOutlivesAContainer(t *testing.T) {
	s := newSetup(t, 1)
	s.install(t, baseWithComponent(t, "saved-state"))
	for _, p := range s.waitReady(t, 3) {
		s.wantLoaded(t, p, 0)
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} { // SIGTERM makes a process save its state; SIGKILL leaves the old one
		began := time.Now()
		p := s.restartProcess(t, "statefleet-1", signal)
		s.wantLoaded(t, p, 1)
		t.Logf("signal=%s restarts=%d ready_s=%.1f", signal, p.Status.ContainerStatuses[0].RestartCount, time.Since(began).Seconds())
	}
	s.checkExpositions(t, s.waitReady(t, 3))
}

// TestSavedStateOutlivesAPod checks that with the component saved-state-volume, a new pod starts with the state of the
// previous one, and that the PersistentVolumeClaims are deleted with the fleet. The test creates the volumes, which are
// folders of the node.
func TestSavedStateOutlivesAPod(t *testing.T) {
	s := newSetup(t, 1)
	for i := range 3 {
		s.createVolume(t, fmt.Sprint("state-", i))
	}
	claims := func() int {
		list, err := s.client.CoreV1().PersistentVolumeClaims(namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.Items)
	}
	t.Run("fleet", func(t *testing.T) {
		s.install(t, baseWithComponent(t, "saved-state-volume"))
		s.waitReady(t, 3)
		deletePod(t, s)
		began := time.Now()
		pods := s.waitReady(t, 3)
		s.wantLoaded(t, s.pod(t, "statefleet-1"), 1)
		t.Logf("pod deleted: ready_s=%.1f", time.Since(began).Seconds())
		s.checkExpositions(t, pods)
		s.checkProcesses(t, pods)
		if n := claims(); n != 3 {
			t.Errorf("got %d PersistentVolumeClaims, want 3", n)
		}
	})
	if err := waitFor(time.Minute, func() bool { return claims() == 0 }); err != nil {
		t.Errorf("got %d PersistentVolumeClaims after the fleet was deleted, want 0", claims())
	}
}

// wantLoaded checks whether the process of a pod has started with a saved state: want is 1 if so, and 0 otherwise.
func (s *setup) wantLoaded(t *testing.T, pod corev1.Pod, want float64) {
	t.Helper()
	if n, err := s.selfMetric(t, pod, loadedSeries); err != nil || n != want {
		t.Errorf("%s: %s: got %v (error %v), want %v", pod.Name, loadedSeries, n, err, want)
	}
}

// createVolume creates a PersistentVolume in a folder of the first node, for any claim without a storage class.
func (s *setup) createVolume(t *testing.T, name string) {
	t.Helper()
	path := "/var/lib/" + name
	if _, err := s.machines[0].run(t.Context(), "mkdir", path); err != nil {
		t.Fatal(err)
	}
	s.apply(t, `
apiVersion: v1
kind: PersistentVolume
metadata: {name: %s}
spec:
  capacity: {storage: 2Gi}
  accessModes: [ReadWriteOnce]
  local: {path: %s}
  nodeAffinity:
    required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [node-1]}]}]}
`, name, path)
}
