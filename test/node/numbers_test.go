//go:build linux

package node

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/test/seed"
)

// TestMemoryOfAContainer: one replica, with the requests and limits as delivered, holds 2,000 and then 20,000 pods.
// What the kernel counts for its container stays below the limit, and is told beside what "statefleet estimate" says
// of this cluster.
func TestMemoryOfAContainer(t *testing.T) {
	s := newSite(t, 1)
	s.install(t, "manifests/overlays/single")
	pod := s.waitReady(t, 1)[0]
	limit := pod.Spec.Containers[0].Resources.Limits.Memory().Value()
	have := 0
	for _, pods := range []int{2_000, 20_000} {
		s.putPods(t, have, pods)
		have = pods
		if err := waitFor(3*time.Minute, func() bool { return s.shown(t, pod) >= pods }); err != nil {
			t.Fatalf("%d of %d pods are on the page: %v", s.shown(t, pod), pods, err)
		}
		for range 5 { // as a Prometheus does
			s.get(t, pod, "8080", "")
		}
		used := s.memory(t)
		t.Logf("pods=%d usage_mib=%d working_set_mib=%d limit_mib=%d throttled_periods=%d estimate_mib=%d",
			pods, used.usage>>20, used.workingSet>>20, limit>>20, used.throttled, s.estimate(t)>>20)
		if used.workingSet == 0 || used.workingSet > limit*8/10 {
			t.Errorf("the working set is %d bytes, the limit %d", used.workingSet, limit)
		}
	}
	if again := s.waitReady(t, 1)[0]; again.Status.ContainerStatuses[0].RestartCount > 0 {
		t.Error("the container was started again")
	}
}

// putPods creates pods that no scheduler and no kubelet looks at.
func (s *site) putPods(t *testing.T, from, to int) {
	t.Helper()
	client := s.Client()
	if from == 0 {
		_, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: seed.Shop}}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "shop", Namespace: seed.Shop}}
		if _, err := client.CoreV1().ServiceAccounts(seed.Shop).Create(t.Context(), account, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	numbers := make(chan int)
	var working sync.WaitGroup
	for range 8 {
		working.Go(func() {
			for i := range numbers {
				p := seed.NewPod(fmt.Sprintf("pod-%d", i), i)
				p.Spec.NodeName, p.Spec.SchedulerName, p.Spec.PriorityClassName = "", "none", ""
				if _, err := seed.PutPod(t.Context(), client, p); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := from; i < to && !t.Failed(); i++ {
		numbers <- i
	}
	close(numbers)
	if working.Wait(); t.Failed() {
		t.FailNow()
	}
}

// shown is the number of pods on a replica's page.
func (s *site) shown(t *testing.T, pod corev1.Pod) int {
	t.Helper()
	_, text := s.get(t, pod, "8080", "")
	return strings.Count(text, "\nkube_pod_info{")
}

// usage is what the kernel says of a container.
type usage struct {
	usage, workingSet int64 // bytes
	throttled         int64 // periods in which it would have used more CPU than it may
}

// memory reads the cgroup of the only replica.
func (s *site) memory(t *testing.T) usage {
	t.Helper()
	m := s.machines[0]
	pid, err := m.run(t.Context(), "pgrep", "-x", "statefleet")
	if err != nil {
		t.Fatal(err)
	}
	a := s.accounts(t, m, strings.TrimSpace(pid))
	used := s.number(t, m, a.memory, "^")
	return usage{
		usage: used, workingSet: used - s.number(t, m, a.stat, "^"+a.inactive+" "), throttled: s.number(t, m, a.cpu, "^nr_throttled "),
	}
}

// estimate is the memory that "statefleet estimate" says one replica needs for this cluster.
func (s *site) estimate(t *testing.T) int64 {
	t.Helper()
	binary, err := fleet.Build(fleet.Statefleet)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(s.Proxy())
	defer proxy.Close()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := s.WriteKubeconfig(kubeconfig, proxy.URL); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), binary, "estimate", "--output=json", "--kubeconfig="+kubeconfig).Output()
	if err != nil {
		t.Fatalf("estimate: %v", err)
	}
	var answer struct {
		Fleets []struct {
			Replicas    int
			EachReplica struct{ MemoryBytes int64 }
		}
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	for _, f := range answer.Fleets {
		if f.Replicas == 1 {
			return f.EachReplica.MemoryBytes
		}
	}
	t.Fatalf("no fleet of one replica in %s", out)
	return 0
}
