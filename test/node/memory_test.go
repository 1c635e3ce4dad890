//go:build linux

package node

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/statefleet/statefleet/benchmarks/exposition"
	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/test/seed"
)

// TestMemoryOfAContainer checks that the working set of one replica, with the requests and limits as delivered, stays
// below 80% of the limit with 2,000 and with 20,000 pods. It logs the memory that the kernel counts, and the estimate
// of "statefleet estimate" for the same cluster.
func TestMemoryOfAContainer(t *testing.T) {
	s := newSetup(t, 1)
	s.install(t, "manifests/overlays/single")
	pod := s.waitReady(t, 1)[0]
	limit := pod.Spec.Containers[0].Resources.Limits.Memory().Value()
	existing := 0
	for _, pods := range []int{2_000, 20_000} {
		s.putPods(t, existing, pods)
		existing = pods
		if err := waitFor(3*time.Minute, func() bool { return s.countSeries(t, pod, "kube_pod_info") >= pods }); err != nil {
			t.Fatalf("got %d pods in the exposition, want %d: %v", s.countSeries(t, pod, "kube_pod_info"), pods, err)
		}
		for range 5 { // scrapes take memory, too
			s.countSeries(t, pod, "kube_pod_info")
		}
		time.Sleep(20 * time.Second) // the kubelet must read the usage again
		used, err := usageOf(t, s.machines[0], "statefleet")
		t.Logf("pods=%d usage_mib=%d working_set_mib=%d limit_mib=%d throttled_periods=%d estimate_mib=%d",
			pods, used.memory>>20, used.workingSet>>20, limit>>20, used.throttled, s.estimate(t)>>20)
		if err != nil || used.workingSet == 0 || used.workingSet > limit*8/10 {
			t.Errorf("got a working set of %d bytes (error %v), want at most 80%% of the limit of %d, but not 0", used.workingSet, err, limit)
		}
	}
	if p := s.waitReady(t, 1)[0]; p.Status.ContainerStatuses[0].RestartCount > 0 {
		t.Error("the container was restarted, want no restart")
	}
}

// putPods creates the pods with numbers from "from" up to "to", excluding it. No scheduler or kubelet handles them.
func (s *setup) putPods(t *testing.T, from, to int) {
	t.Helper()
	s.apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", seed.Shop)
	s.apply(t, "{apiVersion: v1, kind: ServiceAccount, metadata: {namespace: %s, name: shop}}", seed.Shop)
	inParallel(t, from, to, func(ctx context.Context, i int) error {
		p := seed.NewPod(fmt.Sprintf("pod-%d", i), i)
		p.Spec.NodeName, p.Spec.SchedulerName, p.Spec.PriorityClassName = "", "none", ""
		_, err := seed.PutPod(ctx, s.client, p)
		return err
	})
}

// inParallel calls do for each number in a range, excluding to, for several at a time. An error fails the test.
func inParallel(t *testing.T, from, to int, do func(ctx context.Context, i int) error) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(8)
	for i := from; i < to; i++ {
		group.Go(func() error { return do(ctx, i) })
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// usage is what the kernel counts for a container in its cgroup.
type usage struct {
	memory, workingSet, limit int64 // bytes
	throttled                 int64 // CPU periods in which the container reached its CPU limit
}

// usageOf returns the usage of the containers with a name on a node. The kubelet reads it every 10 to 15 s.
func usageOf(t *testing.T, m *machine, container string) (usage, error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{
		DialContext: m.dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the kubelet signs its certificate itself
	}}
	var all exposition.Exposition
	kubelet := fleet.Replica{Client: client}
	err := kubelet.Read(t.Context(), "https://"+m.address+":10250/metrics/cadvisor", func(body io.Reader) (err error) {
		all, err = exposition.Parse(body)
		return err
	})
	value := func(name string) int64 { return int64(all.Value(name, "container", container)) }
	return usage{
		memory: value("container_memory_usage_bytes"), workingSet: value("container_memory_working_set_bytes"),
		limit: value("container_spec_memory_limit_bytes"), throttled: value("container_cpu_cfs_throttled_periods_total"),
	}, err
}

// estimate returns the memory, in bytes, that one replica needs for this cluster according to "statefleet estimate".
func (s *setup) estimate(t *testing.T) int64 {
	t.Helper()
	binary, err := fleet.Build(fleet.Statefleet)
	if err != nil {
		t.Fatal(err)
	}
	_, kubeconfig := s.startProxy(t)
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
	t.Fatalf("the estimate has no fleet of one replica: %s", out)
	return 0
}
