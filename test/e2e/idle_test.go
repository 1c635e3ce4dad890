package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/gate"
	"github.com/statefleet/statefleet/test/kubelet"
	"github.com/statefleet/statefleet/test/manifest"
)

const (
	// idleWindowVar names the environment variable with the duration over which TestIdleReplica measures. Without it,
	// the test is skipped.
	idleWindowVar = "STATEFLEET_IDLE"

	// compressedAfter is how long the test waits before it measures. By then, replicas have compressed the blocks,
	// which did not change for a minute.
	compressedAfter = 90 * time.Second
)

// TestIdleReplica measures what each replica of a coordinated fleet of three uses while nothing changes in the cluster:
// CPU time, as the kernel reports it, and requests to the API server, counted by a gate in front of it. "make idle"
// runs it.
func TestIdleReplica(t *testing.T) {
	window, err := time.ParseDuration(os.Getenv(idleWindowVar))
	if err != nil {
		t.Skip("takes minutes: run it with make idle")
	}
	w := newWorld(t)
	w.scale(t, 0)
	w.removeFleetPods(t)
	counted := map[string]*requestCounter{} // by pod
	kubeconfigs := map[string]string{}
	for ordinal := range shards {
		name := podName(ordinal)
		counted[name] = &requestCounter{}
		kubeconfigs[name] = gate.Start(t, w.cluster.Config(), counted[name].count).Kubeconfig(t, w.token)
	}
	t.Cleanup(w.cluster.StartControllers(t, "statefulset-controller"))
	s := &setup{world: w}
	s.kubelet = kubelet.Run(t, kubelet.Options{
		Client: w.cluster.Client(), Namespace: namespace, Selector: "app.kubernetes.io/name=" + setName, Node: "node-1", Notice: deathNotice,
		Flags: func(pod *corev1.Pod) []string { return []string{"--kubeconfig=" + kubeconfigs[pod.Name]} },
	})
	s.changeTemplate = func(*corev1.PodTemplateSpec) {}
	s.install(t, manifest.Base, variant{})
	s.scale(t, shards)
	fleet.Eventually(t, "the fleet is settled", func(ctx context.Context) error { return s.checkFleet(ctx, shards, false) })
	time.Sleep(compressedAfter)
	for _, r := range counted {
		r.reset()
	}
	before, began := cpu(t, s.kubelet), time.Now()
	time.Sleep(window)
	after, took := cpu(t, s.kubelet), time.Since(began)
	for _, pod := range slices.Sorted(maps.Keys(counted)) {
		all, kinds := counted[pod].perMinute(took)
		t.Logf("%s: %.2f ms of CPU a second, %.1f API requests a minute, over %s: %s", pod,
			1000*(after[pod]-before[pod]).Seconds()/took.Seconds(), all, took.Round(time.Second), kinds)
	}
}

// cpu returns the CPU time that the process of each pod has taken.
func cpu(t *testing.T, k *kubelet.Kubelet) map[string]time.Duration {
	t.Helper()
	taken := map[string]time.Duration{}
	for _, r := range k.Running() {
		usage, err := r.Usage()
		if err != nil {
			t.Fatal(err)
		}
		taken[r.Pod] = usage.CPU
	}
	return taken
}

// requestCounter counts the requests that pass through a gate, by method. It counts watches and requests for the
// topology ConfigMap separately.
type requestCounter struct {
	mu    sync.Mutex
	kinds map[string]int
}

func (r *requestCounter) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kinds = map[string]int{}
}

// count returns a handler for gate.Start that counts requests and passes them to next.
func (r *requestCounter) count(next http.Handler) http.Handler {
	r.reset()
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		kind := request.Method
		switch {
		case request.URL.Query().Get("watch") != "":
			kind = "WATCH"
		case strings.HasSuffix(request.URL.Path, topologyName):
			kind += " topology"
		}
		r.mu.Lock()
		r.kinds[kind]++
		r.mu.Unlock()
		next.ServeHTTP(w, request)
	})
}

func (r *requestCounter) perMinute(took time.Duration) (all float64, kinds string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(r.kinds)) {
		n := float64(r.kinds[kind]) / took.Minutes()
		all += n
		parts = append(parts, fmt.Sprintf("%s %.1f", kind, n))
	}
	return all, strings.Join(parts, ", ")
}
