//go:build linux

package node

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// loaded is the metric of a process that has begun with the state of the one before it.
const loaded = `statefleet_saved_state_reads_total{result="loaded"}`

// TestSavedStateOutlivesAContainer: with the component saved-state, each process but the first of a pod begins with the
// state that an earlier one has saved in the pod's emptyDir, also after it was killed.
func TestSavedStateOutlivesAContainer(t *testing.T) {
	s := newSite(t, 1)
	s.install(t, withComponent(t, "saved-state"))
	for _, p := range s.waitReady(t, 3) {
		s.wantLoaded(t, p, 0)
	}
	for _, signal := range []string{"TERM", "KILL"} { // the state is saved at the end, and stays where it is
		began := time.Now()
		p := s.restarted(t, "statefleet-1", signal)
		s.wantLoaded(t, p, 1)
		t.Logf("signal=%s restarts=%d ready_s=%.1f", signal, p.Status.ContainerStatuses[0].RestartCount, time.Since(began).Seconds())
	}
	s.checkPages(t, s.waitReady(t, 3))
}

// TestSavedStateOutlivesAPod: with the component saved-state-volume, a new pod begins with the state of the one before
// it, and the claims are deleted with the fleet. The volumes are folders of the node, made by hand.
func TestSavedStateOutlivesAPod(t *testing.T) {
	s := newSite(t, 1)
	for i := range 3 {
		s.makeVolume(t, fmt.Sprint("state-", i))
	}
	claims := func() int {
		list, err := s.Client().CoreV1().PersistentVolumeClaims(namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.Items)
	}
	t.Run("fleet", func(t *testing.T) {
		s.install(t, withComponent(t, "saved-state-volume"))
		s.waitReady(t, 3)
		deletePod(t, s)
		began := time.Now()
		pods := s.waitReady(t, 3)
		s.wantLoaded(t, *s.pod(t, "statefleet-1"), 1)
		t.Logf("pod deleted: ready_s=%.1f", time.Since(began).Seconds())
		s.checkPages(t, pods)
		s.checkProcesses(t, pods)
		if n := claims(); n != 3 {
			t.Errorf("%d claims, want 3", n)
		}
	})
	if err := waitFor(time.Minute, func() bool { return claims() == 0 }); err != nil {
		t.Errorf("%d claims are left", claims())
	}
}

// wantLoaded checks how many states the process of a pod has begun with.
func (s *site) wantLoaded(t *testing.T, pod corev1.Pod, want float64) {
	t.Helper()
	if n, err := s.value(t, pod, loaded); err != nil || n != want {
		t.Errorf("%s: %s is %v (%v), want %v", pod.Name, loaded, n, err, want)
	}
}

// signal sends a signal to the process of a pod.
func (s *site) signal(t *testing.T, pod, signal string) {
	t.Helper()
	for _, m := range s.machines {
		pids, err := m.run(t.Context(), "pgrep", "-f", "^/statefleet .*--pod="+pod+" ")
		if err != nil {
			continue // it runs on another node
		}
		if _, err := m.run(t.Context(), "kill", "-"+signal, strings.Fields(pids)[0]); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("no node runs %s", pod)
}

// restarted sends a signal to the process of a pod, waits until the next one is ready, and returns the pod.
func (s *site) restarted(t *testing.T, name, signal string) corev1.Pod {
	t.Helper()
	before := s.pod(t, name).Status.ContainerStatuses[0].RestartCount
	s.signal(t, name, signal)
	err := waitFor(time.Minute, func() bool { return s.pod(t, name).Status.ContainerStatuses[0].RestartCount > before })
	if err != nil {
		t.Fatalf("restart of %s: %v", name, err)
	}
	s.waitReady(t, 3)
	return *s.pod(t, name)
}

func (s *site) pod(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	pod, err := s.Client().CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

// makeVolume makes a volume from a folder of the first node, for any claim that names no class.
func (s *site) makeVolume(t *testing.T, name string) {
	t.Helper()
	path := "/var/lib/" + name
	if _, err := s.machines[0].run(t.Context(), "mkdir", path); err != nil {
		t.Fatal(err)
	}
	here := corev1.NodeSelectorRequirement{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{"node-1"}}
	volume := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PersistentVolumeSpec{
		Capacity:               corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("2Gi")},
		AccessModes:            []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		PersistentVolumeSource: corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: path}},
		NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{here}}},
		}},
	}}
	if _, err := s.Client().CoreV1().PersistentVolumes().Create(t.Context(), volume, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}
