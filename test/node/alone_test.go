//go:build linux

package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// alonePod is a pod that a kubelet runs without an API server.
const alonePod = `
apiVersion: v1
kind: Pod
metadata: {name: limited, namespace: default}
spec:
  containers:
    - {name: pause, image: "%s", imagePullPolicy: Never, command: [/pause, limited], resources: {limits: {cpu: 500m, memory: 64Mi}}}
`

// TestKubeletAloneLimitsAContainer: a node without a control plane runs a pod from a file, and the accounts of its
// container have the pod's limit. It is the part of a cluster that depends on the version of control groups, and small
// enough for a slow machine.
func TestKubeletAloneLimitsAContainer(t *testing.T) {
	if os.Getenv("IMAGE") == "" {
		t.Skip(`NOT TESTED: the programs of a cluster take minutes to build; "make cluster-test" does it`)
	}
	if why := missing(os.Geteuid()); why != "" {
		t.Skip("NOT TESTED: " + why)
	}
	groups, err := findCgroups(cgroupRoot)
	if err != nil {
		t.Skip("NOT TESTED: " + err.Error())
	}
	s := &site{Cluster: &Cluster{Options: Options{Nodes: 1}, groups: groups}}
	if s.folder, err = newFolder(os.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	s.startAlone(t)
	m, pid := s.machines[0], ""
	err = waitFor(readyWithin, func() bool {
		out, err := m.run(t.Context(), "pgrep", "-f", "^/pause limited")
		pid = strings.TrimSpace(out)
		return err == nil
	})
	if err != nil {
		t.Fatalf("the container does not run: %v\n%s", err, s.log(m, "kubelet"))
	}
	a := s.accounts(t, m, pid)
	limit, used, throttled := s.number(t, m, a.limit, "^"), s.number(t, m, a.memory, "^"), s.number(t, m, a.cpu, "^nr_throttled ")
	t.Logf("%s: limit_mib=%d used_kib=%d inactive_kib=%d throttled_periods=%d in %s", groups, limit>>20, used>>10,
		s.number(t, m, a.stat, "^"+a.inactive+" ")>>10, throttled, filepath.Dir(a.memory))
	if limit != 64<<20 || used == 0 || used > limit {
		t.Errorf("the limit is %d bytes, and %d are used", limit, used)
	}
}

// startAlone starts a node with containerd, and a kubelet that reads pods from a folder.
func (s *site) startAlone(t *testing.T) {
	t.Helper()
	if err := s.build(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.startMachines(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.loadImages(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := s.machines[0]
	pods := filepath.Join(m.dir, "pods")
	if err := os.Mkdir(pods, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pods, "limited.yaml"), fmt.Appendf(nil, alonePod, pauseImage), 0o600); err != nil {
		t.Fatal(err)
	}
	err := s.start(m, "kubelet", s.controlplane, "kubelet", "--config="+filepath.Join(m.dir, "kubelet.yaml"), "--pod-manifest-path="+pods,
		"--hostname-override=node-1", "--node-ip="+m.address)
	if err != nil {
		t.Fatal(err)
	}
}
