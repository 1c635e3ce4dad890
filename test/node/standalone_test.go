//go:build linux

package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// staticPod is a pod that a kubelet runs without an API server.
const staticPod = `
apiVersion: v1
kind: Pod
metadata: {name: limited, namespace: default}
spec:
  containers:
    - {name: pause, image: "%s", imagePullPolicy: Never, command: [/pause, limited], resources: {limits: {cpu: 500m, memory: 64Mi}}}
`

// TestKubeletAloneLimitsAContainer checks that a node without a control plane runs a pod from a file, and that the
// cgroup of its container has the pod's memory limit. This is the part of a cluster that depends on the version of
// control groups, and it is small enough for a slow host.
func TestKubeletAloneLimitsAContainer(t *testing.T) {
	imageFolder(t)
	if why := missingRequirement(os.Geteuid()); why != "" {
		t.Skip("NOT TESTED: " + why)
	}
	groups, err := findCgroups(cgroupRoot)
	if err != nil {
		t.Skip("NOT TESTED: " + err.Error())
	}
	s := &setup{Cluster: &Cluster{Options: Options{Nodes: 1}, groups: groups}}
	if s.folder, err = newFolder(os.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	s.startStandalone(t)
	m, pid := s.machines[0], ""
	err = waitFor(readyTimeout, func() bool {
		out, err := m.run(t.Context(), "pgrep", "-f", "^/pause limited")
		pid = strings.TrimSpace(out)
		return err == nil
	})
	if err != nil {
		t.Fatalf("waiting for the container: %v\n%s", err, s.log(m, "kubelet"))
	}
	files := s.usageFiles(t, m, pid)
	limit, used := s.readNumber(t, m, files.limit, "^"), s.readNumber(t, m, files.memory, "^")
	throttled := s.readNumber(t, m, files.cpu, "^nr_throttled ")
	t.Logf("%s: limit_mib=%d used_kib=%d inactive_kib=%d throttled_periods=%d in %s", groups, limit>>20, used>>10,
		s.readNumber(t, m, files.stat, "^"+files.inactive+" ")>>10, throttled, filepath.Dir(files.memory))
	if limit != 64<<20 || used == 0 || used > limit {
		t.Errorf("got %d bytes used of a limit of %d, want more than 0 of %d", used, limit, 64<<20)
	}
}

// startStandalone starts a node with containerd, and a kubelet that reads static pods from a folder.
func (s *setup) startStandalone(t *testing.T) {
	t.Helper()
	for _, step := range []func(context.Context) error{s.build, s.startMachines, s.loadImages} {
		if err := step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	m := s.machines[0]
	pods := filepath.Join(m.dir, "pods")
	if err := os.Mkdir(pods, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pods, "limited.yaml"), fmt.Appendf(nil, staticPod, pauseImage), 0o600); err != nil {
		t.Fatal(err)
	}
	err := s.start(m, "kubelet", s.controlplane, "kubelet", "--config="+filepath.Join(m.dir, "kubelet.yaml"), "--pod-manifest-path="+pods,
		"--hostname-override=node-1", "--node-ip="+m.address)
	if err != nil {
		t.Fatal(err)
	}
}
