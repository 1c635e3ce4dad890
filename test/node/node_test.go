//go:build linux

package node

import (
	"errors"
	"io"
	"net/http"
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
	if os.Getenv("IMAGE") == "" {
		t.Skip(`NOT TESTED: the programs of a cluster take minutes to build; "make cluster-test" does it`)
	}
	if err := sweepFolders(os.TempDir()); err != nil { // Start removes leftovers as well, which would change the traces
		t.Fatal(err)
	}
	before := traces(t)
	t.Run("cluster", func(t *testing.T) {
		c := start(t, Options{Nodes: 2})
		for _, name := range []string{"node-1", "node-2"} {
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: "on-" + name},
				Spec: corev1.PodSpec{NodeName: name, Containers: []corev1.Container{{
					Name: "pause", Image: pauseImage, ImagePullPolicy: corev1.PullNever,
				}}},
			}
			pods := c.Client().CoreV1().Pods("default")
			err := waitFor(time.Minute, func() bool { // creation fails until the service account exists
				_, err := pods.Create(t.Context(), pod, metav1.CreateOptions{})
				return err == nil
			})
			if err != nil {
				t.Fatal(err)
			}
			err = waitFor(time.Minute, func() bool {
				p, err := pods.Get(t.Context(), pod.Name, metav1.GetOptions{})
				return err == nil && p.Status.Phase == corev1.PodRunning && strings.HasPrefix(p.Status.PodIP, "10.88.")
			})
			if err != nil {
				t.Errorf("waiting for the pod on %s: %v", name, err)
			}
		}
		resp, err := c.HTTP(2).Get("http://10.88.1.1:10250/healthz") //nolint:noctx // a test
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		if err != nil || resp.StatusCode != http.StatusBadRequest { // the port speaks HTTPS, and answers plain HTTP with 400
			t.Errorf("node 2 does not reach the kubelet of node 1: got error %v, want status 400", err)
		}
	})
	if after := traces(t); after != before {
		t.Errorf("the cluster left traces: got\n%s\nwant, as before:\n%s", after, before)
	}
}

// start starts a cluster that runs until the end of the test. If the host cannot run nodes, it skips the test with the
// message NOT TESTED.
func start(t *testing.T, o Options) *Cluster {
	t.Helper()
	c, err := Start(t.Context(), o)
	if errors.Is(err, ErrUnsupported) {
		t.Skip("NOT TESTED: " + err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	versions, err := c.Versions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d nodes: %s", c.Nodes, versions)
	return c
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
