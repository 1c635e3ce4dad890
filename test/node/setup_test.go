//go:build linux

package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/exposition"
	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// setup is a cluster into which tests install the image of this repository.
type setup struct {
	*Cluster
	environment
	image       string
	certificate []byte // of the manifests with TLS, in PEM
}

// imageFolder returns the folder with an image that the environment variable IMAGE names. "make test" does not set it,
// because building the programs of a cluster takes minutes.
func imageFolder(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("IMAGE")
	if dir == "" {
		t.Skip(`NOT TESTED: IMAGE is not set; "make cluster-test" builds an image and sets it`)
	}
	return dir
}

// newSetup starts a cluster that runs until the end of the test, with the image in imageFolder. If the host cannot run
// nodes, it skips the test with the message NOT TESTED.
func newSetup(t *testing.T, nodes int) *setup {
	t.Helper()
	archive, image, err := Image(imageFolder(t))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Start(t.Context(), Options{Nodes: nodes, Archives: []string{archive}})
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
	if err == nil {
		err = c.CreateNamespace(t.Context(), namespace)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d nodes: %s", c.Nodes, versions)
	s := &setup{Cluster: c, image: image}
	s.environment = environment{client: c.Client(), signal: s.signalProcess}
	return s
}

// signalProcess sends a signal to the process of a pod.
func (s *setup) signalProcess(t *testing.T, pod string, signal syscall.Signal) {
	t.Helper()
	for _, m := range s.machines {
		pids, err := m.run(t.Context(), "pgrep", "-f", "^/statefleet .*--pod="+pod+" ")
		if err != nil {
			continue // the pod runs on another node
		}
		if _, err := m.run(t.Context(), "kill", fmt.Sprintf("-%d", signal), strings.Fields(pids)[0]); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("no node runs %s", pod)
}

// apply applies an object as [Cluster.Apply] does, once the API server accepts it. It accepts a pod when the service
// account of its namespace exists, and a custom resource when it serves the definition.
func (s *setup) apply(t *testing.T, text string, args ...any) {
	t.Helper()
	var err error
	if waitFor(time.Minute, func() bool { err = s.Apply(t.Context(), text, args...); return err == nil }) != nil {
		t.Fatal(err)
	}
}

// idlePod is a pod that does nothing. Its arguments are namespace, name, node and [pauseImage].
const idlePod = `
apiVersion: v1
kind: Pod
metadata: {namespace: %s, name: %s}
spec: {nodeName: %q, containers: [{name: pause, image: %q, imagePullPolicy: Never}]}
`

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

// startProxy starts a proxy into the cluster until the end of the test. It returns the URL of the proxy, and the path of
// a kubeconfig that uses it.
func (s *setup) startProxy(t *testing.T) (url, kubeconfig string) {
	t.Helper()
	proxy := httptest.NewServer(s.Proxy())
	t.Cleanup(proxy.Close)
	kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	if err := s.WriteKubeconfig(kubeconfig, proxy.URL); err != nil {
		t.Fatal(err)
	}
	return proxy.URL, kubeconfig
}

// replica returns a client for the expositions of a pod over the pod network. It uses TLS if the pod's probes do, and
// the administrator's token if the pod requires one.
func (s *setup) replica(pod corev1.Pod) *fleet.Replica {
	transport, scheme := &http.Transport{DialContext: s.machines[s.Nodes-1].dial}, "http"
	if pod.Spec.Containers[0].ReadinessProbe.HTTPGet.Scheme == corev1.URISchemeHTTPS {
		scheme = "https"
		trusted := x509.NewCertPool()
		trusted.AppendCertsFromPEM(s.certificate)
		transport.TLSClientConfig = &tls.Config{RootCAs: trusted, ServerName: serverName, MinVersion: tls.VersionTLS12}
	}
	address := scheme + "://" + pod.Status.PodIP
	r := &fleet.Replica{URL: address + ":8080", Telemetry: address + ":8081", Client: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
	if hasFlag(pod, "--auth-filter") {
		r.Token = s.token
	}
	return r
}

// countSeries returns the number of series of a family in a pod's exposition, or 0 if that cannot be read.
func (s *setup) countSeries(t *testing.T, pod corev1.Pod, family string) (n int) {
	t.Helper()
	r, prefix := s.replica(pod), []byte(family+"{")
	err := r.Read(t.Context(), r.URL+"/metrics", func(body io.Reader) error {
		return exposition.Samples(body, func(line []byte) {
			if bytes.HasPrefix(line, prefix) {
				n++
			}
		})
	})
	if err != nil {
		t.Logf("%s: %v", pod.Name, err)
		return 0
	}
	return n
}

// selfMetric returns the value of one of a pod's self-metrics. series is a key of [exposition.Exposition.Samples].
func (s *setup) selfMetric(t *testing.T, pod corev1.Pod, series string) (float64, error) {
	t.Helper()
	self, err := s.replica(pod).SelfMetrics(t.Context())
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(self.Samples[series], 64) // an error if there is no such series
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
	all, err := s.client.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pods {
		limit := float64(p.Spec.Containers[0].Resources.Limits.Memory().Value())
		if got, err := s.selfMetric(t, p, "go_gc_gomemlimit_bytes{}"); err != nil || got < 0.8*limit || got >= limit {
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
		metrics, err := s.replica(p).Metrics(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		for family, labels := range metrics.Labels {
			if family == "kube_pod_info" {
				exposed[labels["namespace"]+"/"+labels["pod"]]++
			}
		}
	}
	return exposed
}

// checkAuthorization checks that a client without a token is refused on both ports.
func (s *setup) checkAuthorization(t *testing.T, pod corev1.Pod) {
	t.Helper()
	r := s.replica(pod)
	r.Token = ""
	for _, url := range []string{r.URL, r.Telemetry} {
		if answer, err := r.Get(t.Context(), url+"/metrics"); err != nil || answer.Status != http.StatusUnauthorized {
			t.Errorf("%s without a token: got status %d, error %v; want 401: %.200s", url, answer.Status, err, answer.Body)
		}
	}
}

// checkProcesses checks users, capabilities, seccomp and the root file system of the fleet's processes, as the kernel
// reports them.
func (s *setup) checkProcesses(t *testing.T, pods []corev1.Pod) {
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
					t.Errorf("process %s on node %d: /proc status lacks %q:\n%s", pid, m.number, want, status)
				}
			}
			if out, err := m.run(t.Context(), "touch", "/proc/"+pid+"/root/written"); err == nil {
				t.Errorf("process %s on node %d: the root file system is writable, want read-only: %s", pid, m.number, out)
			}
		}
	}
	if found != len(pods) {
		t.Errorf("got %d processes, want %d, one for each pod", found, len(pods))
	}
}
