//go:build linux

package node

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
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

// install applies a kustomization, or a file, until the end of the test.
func (s *site) install(t *testing.T, path string) {
	t.Helper()
	uninstall, err := s.Install(t.Context(), path, namespace, s.image)
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

// get reads the metrics at a port over the pod network, with TLS if the pod's probes use it.
func (s *site) get(t *testing.T, pod corev1.Pod, port, token string) (status int, text string) {
	t.Helper()
	client, scheme := s.HTTP(s.Nodes), "http"
	if pod.Spec.Containers[0].ReadinessProbe.HTTPGet.Scheme == corev1.URISchemeHTTPS {
		scheme = "https"
		s.trust(t, client)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, scheme+"://"+pod.Status.PodIP+":"+port+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(r)
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

// value reads a self-metric of a pod: the text of a series up to its value.
func (s *site) value(t *testing.T, pod corev1.Pod, series string) (float64, error) {
	t.Helper()
	status, text := s.get(t, pod, "8081", s.tokenFor(pod))
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%s: no %s in an answer %d of %d bytes", pod.Name, series, status, len(text))
	}
	return strconv.ParseFloat(m[1], 64)
}

// tokenFor is the administrator's token, for pods that ask for one.
func (s *site) tokenFor(pod corev1.Pod) string {
	if has(pod, "--auth-filter") {
		return s.token
	}
	return ""
}

// has tells whether the program is told something; values are what comes after a flag's equals sign.
func has(pod corev1.Pod, flag string) bool { return slices.Contains(pod.Spec.Containers[0].Args, flag) }

func values(pod corev1.Pod, flag string) []string {
	for _, arg := range pod.Spec.Containers[0].Args {
		if list, ok := strings.CutPrefix(arg, flag+"="); ok {
			return strings.Split(list, ",")
		}
	}
	return nil
}

// checkPages checks that the replicas together show each pod once, and that the memory limit of the Go runtime follows
// that of the container.
func (s *site) checkPages(t *testing.T, pods []corev1.Pod) {
	t.Helper()
	all, err := s.Client().CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pods {
		limit := float64(p.Spec.Containers[0].Resources.Limits.Memory().Value())
		if got, err := s.value(t, p, "go_gc_gomemlimit_bytes"); err != nil || got < 0.8*limit || got >= limit {
			t.Errorf("%s: the memory limit of the Go runtime is %v (%v), that of the container %v", p.Name, got, err, limit)
		}
	}
	only, want := values(pods[0], "--namespaces"), map[string]int{}
	for _, p := range all.Items {
		if only == nil || slices.Contains(only, p.Namespace) {
			want[p.Namespace+"/"+p.Name] = 1
		}
	}
	var shown map[string]int
	err = waitFor(10*time.Second, func() bool { // a replica that stands by gives up when it hears that the other is ready
		shown = s.shownPods(t, pods)
		return maps.Equal(shown, want)
	})
	if err != nil {
		t.Errorf("pods are shown this many times: %v, want %v", shown, want)
	}
	if len(want) == 0 {
		t.Error("there was no pod to show")
	}
}

// shownPods is how many times the pages of replicas show each pod.
func (s *site) shownPods(t *testing.T, replicas []corev1.Pod) map[string]int {
	t.Helper()
	shown := map[string]int{}
	for _, p := range replicas {
		status, text := s.get(t, p, "8080", s.tokenFor(p))
		if status != http.StatusOK {
			t.Fatalf("%s: status %d: %s", p.Name, status, text)
		}
		for _, m := range regexp.MustCompile(`(?m)^kube_pod_info\{namespace="([^"]*)",pod="([^"]*)"`).FindAllStringSubmatch(text, -1) {
			shown[m[1]+"/"+m[2]]++
		}
	}
	return shown
}

// checkAuthorization checks that a client without a token is refused on both ports.
func (s *site) checkAuthorization(t *testing.T, pod corev1.Pod) {
	t.Helper()
	for _, port := range []string{"8080", "8081"} {
		if status, text := s.get(t, pod, port, ""); status != http.StatusUnauthorized {
			t.Errorf("port %s without a token: status %d: %.200s", port, status, text)
		}
	}
}

// checkProcesses checks what the kernel says of the processes of the fleet.
func (s *site) checkProcesses(t *testing.T, pods []corev1.Pod) {
	t.Helper()
	limits := map[string]int64{} // by the argument that tells the pods apart
	for _, p := range pods {
		name := "--pod=" + p.Name
		if values(p, "--node") != nil {
			name = "--node=" + p.Spec.NodeName
		}
		limits[name] = p.Spec.Containers[0].Resources.Limits.Memory().Value()
	}
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
			args, err := m.run(t.Context(), "cat", "/proc/"+pid+"/cmdline")
			if err != nil {
				t.Fatal(err)
			}
			args = regexp.MustCompile("--(pod|node)=[^\x00]*").FindString(args)
			if got := s.number(t, m, s.accounts(t, m, pid).limit, "^"); got != limits[args] {
				t.Errorf("the cgroup of the process with %q has a limit of %d bytes, the container %d", args, got, limits[args])
			}
		}
	}
	if found != len(pods) {
		t.Errorf("%d processes of %d pods", found, len(pods))
	}
}

// accounts finds the accounts of a process on a node.
func (s *site) accounts(t *testing.T, m *machine, pid string) accounts {
	t.Helper()
	text, err := m.run(t.Context(), "cat", "/proc/"+pid+"/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.groups.accountsOf(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// number reads the number that follows an expression in a file on a node.
func (s *site) number(t *testing.T, m *machine, file, after string) int64 {
	t.Helper()
	text, err := m.run(t.Context(), "cat", file)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)` + after + `(\d+)$`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("%s has no number after %q: %s", file, after, text)
	}
	n, err := strconv.ParseInt(found[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
