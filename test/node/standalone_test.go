//go:build linux

package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// staticPod is a pod that a kubelet runs without an API server.
const staticPod = `
apiVersion: v1
kind: Pod
metadata: {name: limited, namespace: default}
spec:
  containers:
    - {name: pause, image: "%s", imagePullPolicy: Never, resources: {limits: {cpu: 500m, memory: 64Mi}}}
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
	m, used := s.machines[0], usage{}
	err = waitFor(readyTimeout, func() bool {
		used, err = usageOf(t, m, "pause")
		return used.memory > 0
	})
	if err != nil {
		t.Fatalf("waiting for the usage of the container: %v\n%s", err, s.log(m, "kubelet"))
	}
	t.Logf("%s: limit_mib=%d used_kib=%d working_set_kib=%d throttled_periods=%d", groups, used.limit>>20, used.memory>>10,
		used.workingSet>>10, used.throttled)
	if used.limit != 64<<20 || used.memory > used.limit {
		t.Errorf("got %d bytes used of a limit of %d, want more than 0 of %d", used.memory, used.limit, 64<<20)
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
