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

// setup is a cluster into which tests install the image of this repository.
type setup struct {
	*Cluster
	image string
}

// newSetup starts a cluster with the image in the folder that the environment variable IMAGE names. "make image" writes
// such a folder.
func newSetup(t *testing.T, nodes int) *setup {
	t.Helper()
	dir := os.Getenv("IMAGE")
	if dir == "" { // "make test" does not set IMAGE, because building the programs of a cluster takes minutes
		t.Skip(`NOT TESTED: IMAGE is not set; "make cluster-test" builds an image and sets it`)
	}
	archive, image, err := Image(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &setup{Cluster: start(t, Options{Nodes: nodes, Archives: []string{archive}}), image: image}
	if err := s.CreateNamespace(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	return s
}

// install applies a kustomization, or a file. At the end of the test, it deletes the objects and waits until the
// fleet's pods are gone.
func (s *setup) install(t *testing.T, path string) {
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
			t.Errorf("waiting until the pods of the fleet are gone: %v", err)
		}
	})
}

// pods returns the pods of the fleet.
func (s *setup) pods(t *testing.T) []corev1.Pod {
	t.Helper()
	list, err := s.Client().CoreV1().Pods(namespace).List(context.Background(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// waitReady waits until the fleet has exactly the given number of pods and all are ready. It returns the pods.
func (s *setup) waitReady(t *testing.T, replicas int) []corev1.Pod {
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
		t.Fatalf("waiting for %d ready pods: %v", replicas, err)
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

// get requests /metrics at a port of a pod over the pod network, with TLS if the pod's probes use it. If the request
// fails, the status is 0 and the text is the error.
func (s *setup) get(t *testing.T, pod corev1.Pod, port, token string) (status int, text string) {
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

// selfMetric returns the value of one of a pod's self-metrics. series is its name with labels, as in the exposition.
func (s *setup) selfMetric(t *testing.T, pod corev1.Pod, series string) (float64, error) {
	t.Helper()
	status, text := s.get(t, pod, "8081", s.tokenFor(pod))
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%s: no %s in a response with status %d and %d bytes", pod.Name, series, status, len(text))
	}
	return strconv.ParseFloat(m[1], 64)
}

// tokenFor returns the administrator's token for a pod that requires one, and "" otherwise.
func (s *setup) tokenFor(pod corev1.Pod) string {
	if hasFlag(pod, "--auth-filter") {
		return s.token
	}
	return ""
}

// hasFlag reports whether a pod's program has an argument.
func hasFlag(pod corev1.Pod, flag string) bool {
	return slices.Contains(pod.Spec.Containers[0].Args, flag)
}

// flagValues returns the comma-separated values of a flag in a pod's arguments, or nil if the flag is not set.
func flagValues(pod corev1.Pod, flag string) []string {
	for _, arg := range pod.Spec.Containers[0].Args {
		if list, ok := strings.CutPrefix(arg, flag+"="); ok {
			return strings.Split(list, ",")
		}
	}
	return nil
}

// checkExpositions checks that the replicas together expose each pod once, and that the memory limit of the Go runtime
// follows that of the container.
func (s *setup) checkExpositions(t *testing.T, pods []corev1.Pod) {
	t.Helper()
	all, err := s.Client().CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pods {
		limit := float64(p.Spec.Containers[0].Resources.Limits.Memory().Value())
		if got, err := s.selfMetric(t, p, "go_gc_gomemlimit_bytes"); err != nil || got < 0.8*limit || got >= limit {
			t.Errorf("%s: memory limit of the Go runtime: got %v (error %v), want 80%% to 100%% of %v", p.Name, got, err, limit)
		}
	}
	namespaces, want := flagValues(pods[0], "--namespaces"), map[string]int{}
	for _, p := range all.Items {
		if namespaces == nil || slices.Contains(namespaces, p.Namespace) {
			want[p.Namespace+"/"+p.Name] = 1
		}
	}
	var exposed map[string]int
	// A standby serves for its neighbour until it learns that the neighbour is ready.
	err = waitFor(10*time.Second, func() bool {
		exposed = s.exposedPods(t, pods)
		return maps.Equal(exposed, want)
	})
	if err != nil {
		t.Errorf("number of times that each pod is exposed: got %v, want %v", exposed, want)
	}
	if len(want) == 0 {
		t.Error("the cluster has no pod that the fleet exposes, want at least one")
	}
}

// exposedPods returns how many times the expositions of replicas contain each pod, by namespace/name.
func (s *setup) exposedPods(t *testing.T, replicas []corev1.Pod) map[string]int {
	t.Helper()
	exposed := map[string]int{}
	for _, p := range replicas {
		status, text := s.get(t, p, "8080", s.tokenFor(p))
		if status != http.StatusOK {
			t.Fatalf("%s: got status %d, want 200: %s", p.Name, status, text)
		}
		for _, m := range regexp.MustCompile(`(?m)^kube_pod_info\{namespace="([^"]*)",pod="([^"]*)"`).FindAllStringSubmatch(text, -1) {
			exposed[m[1]+"/"+m[2]]++
		}
	}
	return exposed
}

// checkAuthorization checks that a client without a token is refused on both ports.
func (s *setup) checkAuthorization(t *testing.T, pod corev1.Pod) {
	t.Helper()
	for _, port := range []string{"8080", "8081"} {
		if status, text := s.get(t, pod, port, ""); status != http.StatusUnauthorized {
			t.Errorf("port %s without a token: got status %d, want 401: %.200s", port, status, text)
		}
	}
}

// checkProcesses checks users, capabilities, seccomp, the root file system and the memory limit of the fleet's
// processes, as the kernel reports them.
func (s *setup) checkProcesses(t *testing.T, pods []corev1.Pod) {
	t.Helper()
	limits := map[string]int64{} // by the argument that identifies the pod
	for _, p := range pods {
		name := "--pod=" + p.Name
		if flagValues(p, "--node") != nil {
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
					t.Errorf("process %s on node %d: /proc status lacks %q:\n%s", pid, m.number, want, status)
				}
			}
			if out, err := m.run(t.Context(), "touch", "/proc/"+pid+"/root/written"); err == nil {
				t.Errorf("process %s on node %d: the root file system is writable, want read-only: %s", pid, m.number, out)
			}
			args, err := m.run(t.Context(), "cat", "/proc/"+pid+"/cmdline")
			if err != nil {
				t.Fatal(err)
			}
			args = regexp.MustCompile("--(pod|node)=[^\x00]*").FindString(args)
			if got := s.readNumber(t, m, s.usageFiles(t, m, pid).limit, "^"); got != limits[args] {
				t.Errorf("process with %q: got a memory limit of %d bytes in its cgroup, want %d", args, got, limits[args])
			}
		}
	}
	if found != len(pods) {
		t.Errorf("got %d processes, want %d, one for each pod", found, len(pods))
	}
}

// usageFiles returns the files that count the resources of a process on a node.
func (s *setup) usageFiles(t *testing.T, m *machine, pid string) usageFiles {
	t.Helper()
	text, err := m.run(t.Context(), "cat", "/proc/"+pid+"/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	files, err := s.groups.usageFilesOf(text)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// readNumber returns the number after a regular expression, at the end of a line in a file on a node.
func (s *setup) readNumber(t *testing.T, m *machine, file, after string) int64 {
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
