//go:build linux

package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestPodsRunOnTwoNodes checks that each of two nodes runs a pod, that the second node reaches the first, and that
// nothing is left of the cluster afterwards.
func TestPodsRunOnTwoNodes(t *testing.T) {
	imageFolder(t)
	if err := sweepFolders(os.TempDir()); err != nil { // Start removes leftovers as well, which would change the traces
		t.Fatal(err)
	}
	before := traces(t)
	t.Run("cluster", func(t *testing.T) {
		s := newSetup(t, 2)
		for _, node := range []string{"node-1", "node-2"} {
			s.apply(t, idlePod, "default", "on-"+node, node, pauseImage)
			await(t, time.Minute, "the pod on "+node+" runs", func() bool {
				p, err := s.client.CoreV1().Pods("default").Get(t.Context(), "on-"+node, metav1.GetOptions{})
				return err == nil && p.Status.Phase == corev1.PodRunning && strings.HasPrefix(p.Status.PodIP, "10.88.")
			})
		}
		conn, err := s.machines[1].dial(t.Context(), "tcp", s.machines[0].address+":10250")
		if err != nil {
			t.Fatalf("node 2 does not reach the kubelet of node 1: %v", err)
		}
		_ = conn.Close()
	})
	if after := traces(t); after != before {
		t.Errorf("the cluster left traces: got\n%s\nwant, as before:\n%s", after, before)
	}
}

// traces lists everything that a machine could leave behind: cgroups, folders, mounts and network interfaces.
func traces(t *testing.T) string {
	t.Helper()
	groups, err := findCgroups(cgroupRoot)
	if err != nil {
		t.Skip("NOT TESTED: " + err.Error())
	}
	dirs, err := groups.machineDirs()
	if err != nil {
		t.Fatal(err)
	}
	folders, err := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	links, err := exec.CommandContext(t.Context(), "ip", "-o", "link").Output()
	if err != nil {
		t.Skip("NOT TESTED: nodes need ip")
	}
	return strings.Join(append(dirs, folders...), "\n") + "\n" + string(mounts) + string(links)
}
