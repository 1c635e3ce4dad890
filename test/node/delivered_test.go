//go:build linux

package node

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// namespace is where the fleet is installed.
const namespace = "statefleet"

// site is a cluster into which the image of this repository is installed.
type site struct {
	*Cluster
	image string
}

// newSite starts a cluster with the image that IMAGE names: a folder that "make image" has written.
func newSite(t *testing.T, nodes int) *site {
	t.Helper()
	dir := os.Getenv("IMAGE")
	if dir == "" { // the programs of a cluster take minutes to build, so clusters are not part of "make test"
		t.Skip(`NOT TESTED: there is no image; "make cluster-test" builds one`)
	}
	archive, image, err := Image(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Cluster: start(t, Options{Nodes: nodes, Archives: []string{archive}}), image: image}
	if err := s.CreateNamespace(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	return s
}

// install applies a kustomization until the end of the test.
func (s *site) install(t *testing.T, folder string) {
	t.Helper()
	uninstall, err := s.Install(t.Context(), folder, namespace, s.image)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := uninstall(context.Background()); err != nil {
			t.Error(err)
		}
		if err := waitFor(3*time.Minute, func() bool { return len(s.pods(t)) == 0 }); err != nil {
			t.Errorf("pods are left: %v", err)
		}
	})
}

// pods returns the pods of the fleet.
func (s *site) pods(t *testing.T) []corev1.Pod {
	t.Helper()
	list, err := s.Client().CoreV1().Pods(namespace).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// waitReady waits until the fleet has so many pods, all ready by their own probes.
func (s *site) waitReady(t *testing.T, replicas int) []corev1.Pod {
	t.Helper()
	err := waitFor(2*time.Minute, func() bool {
		pods := s.pods(t)
		ready := 0
		for _, p := range pods {
			if p.DeletionTimestamp == nil && podReady(p) {
				ready++
			}
		}
		return ready == replicas && len(pods) == replicas
	})
	if err != nil {
		for _, p := range s.pods(t) {
			t.Logf("%s on %s: %s %+v", p.Name, p.Spec.NodeName, p.Status.Phase, p.Status.ContainerStatuses)
		}
		t.Fatalf("%d pods are not ready: %v", replicas, err)
	}
	return s.pods(t)
}

func podReady(p corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// get reads the metrics at a port over the pod network.
func (s *site) get(t *testing.T, pod corev1.Pod, port, token string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+pod.Status.PodIP+":"+port+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := s.HTTP(s.Nodes).Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestImageAndManifestsAsDelivered installs the base and overlays one after the other, in a namespace that enforces
// the Pod Security Standard "restricted". All pods become ready, and together they show each object once.
func TestImageAndManifestsAsDelivered(t *testing.T) {
	s := newSite(t, 2)
	for _, c := range []struct {
		folder   string
		replicas int
	}{
		{"manifests/base", 3}, {"manifests/overlays/standby", 3}, {"manifests/overlays/single", 1}, {"manifests/overlays/auth-filter", 3},
		{"manifests/overlays/daemonset", 3},
	} {
		t.Run(filepath.Base(c.folder), func(t *testing.T) {
			began := time.Now()
			s.install(t, c.folder)
			pods := s.waitReady(t, c.replicas)
			t.Logf("ready after %s", time.Since(began).Round(100*time.Millisecond))
			if filepath.Base(c.folder) == "auth-filter" {
				s.checkAuthorization(t, pods[0])
				return
			}
			s.checkPages(t, pods)
			s.checkProcesses(t, pods)
		})
	}
}

// checkPages checks that the replicas together show each pod once, and that the memory limit is that of the container.
func (s *site) checkPages(t *testing.T, pods []corev1.Pod) {
	t.Helper()
	all, err := s.Client().CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]int{}
	for _, p := range pods {
		status, text := s.get(t, p, "8080", "")
		if status != http.StatusOK {
			t.Fatalf("%s: status %d: %s", p.Name, status, text)
		}
		for _, m := range regexp.MustCompile(`(?m)^kube_pod_info\{namespace="[^"]*",pod="([^"]*)"`).FindAllStringSubmatch(text, -1) {
			shown[m[1]]++
		}
		limit := float64(p.Spec.Containers[0].Resources.Limits.Memory().Value())
		_, self := s.get(t, p, "8081", "")
		m := regexp.MustCompile(`(?m)^go_gc_gomemlimit_bytes (\S+)$`).FindStringSubmatch(self)
		if m == nil {
			t.Fatalf("%s: no memory limit of the Go runtime in %d bytes", p.Name, len(self))
		}
		if got, err := strconv.ParseFloat(m[1], 64); err != nil || got < 0.8*limit || got >= limit {
			t.Errorf("%s: the memory limit of the Go runtime is %v, that of the container %v", p.Name, got, limit)
		}
	}
	for _, p := range all.Items {
		if shown[p.Name] != 1 {
			t.Errorf("pod %s is shown %d times", p.Name, shown[p.Name])
		}
	}
}

// checkAuthorization checks that a client without a token is refused, and that one with rights reads.
func (s *site) checkAuthorization(t *testing.T, pod corev1.Pod) {
	t.Helper()
	if status, text := s.get(t, pod, "8080", ""); status != http.StatusUnauthorized {
		t.Errorf("without a token: status %d: %.200s", status, text)
	}
	if status, text := s.get(t, pod, "8080", s.token); status != http.StatusOK {
		t.Errorf("with the administrator's token: status %d: %.200s", status, text)
	}
}

// checkProcesses checks what the kernel says of the processes of the fleet.
func (s *site) checkProcesses(t *testing.T, pods []corev1.Pod) {
	t.Helper()
	found := 0
	for _, m := range s.machines {
		pids, err := m.run(t.Context(), "pgrep", "-x", "statefleet")
		if err != nil {
			continue // none on this node
		}
		for _, pid := range strings.Fields(pids) {
			status, err := m.run(t.Context(), "cat", "/proc/"+pid+"/status")
			if err != nil {
				t.Fatal(err)
			}
			found++
			for _, want := range []string{"\nUid:\t65534\t65534", "\nGid:\t65534\t65534", "\nCapEff:\t0000000000000000\n", "\nNoNewPrivs:\t1\n", "\nSeccomp:\t2\n"} {
				if !strings.Contains(status, want) {
					t.Errorf("process %s on node %d has not %q:\n%s", pid, m.number, want, status)
				}
			}
			if out, err := m.run(t.Context(), "touch", "/proc/"+pid+"/root/written"); err == nil {
				t.Errorf("the root of process %s on node %d can be written: %s", pid, m.number, out)
			}
		}
	}
	if found != len(pods) {
		t.Errorf("%d processes of %d pods", found, len(pods))
	}
}
