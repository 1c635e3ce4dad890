//go:build linux

package node

import (
	"context"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/statefleet/statefleet/test/controlplane"
	"github.com/statefleet/statefleet/test/kubelet"
	"github.com/statefleet/statefleet/test/manifest"
)

// comparison is an action on a pod, or on the whole fleet, after which both kubelets must have written the same states.
type comparison struct {
	name, pod string
	act       func(t *testing.T, e environment)
	// ignoredSuffix is the end of lines that are not compared.
	ignoredSuffix string
}

func comparisons() []comparison {
	const last = "statefleet-1"
	return []comparison{
		{name: "pod-deleted", pod: last, act: func(t *testing.T, e environment) {
			e.replacePod(t, last, nil)
			e.waitReady(t, 2)
		}},
		{name: "process-killed", pod: last, act: func(t *testing.T, e environment) { e.restartProcess(t, last, syscall.SIGKILL) }},
		{name: "process-ends-soon-again", pod: last, act: func(t *testing.T, e environment) { e.restartProcess(t, last, syscall.SIGTERM) }},
		{name: "readiness-fails", pod: last, act: failReadiness},
		// Probes may fail after the process was killed and before the kubelet has noticed.
		{name: "outlives-its-grace-period", pod: last, ignoredSuffix: ": ready false", act: func(t *testing.T, e environment) {
			e.signal(t, last, syscall.SIGSTOP)
			e.replacePod(t, last, new(int64(2)))
			e.waitReady(t, 2)
		}},
		{name: "rollout", act: func(t *testing.T, e environment) { e.rollOut(t) }},
		{name: "pre-stop-hook", pod: "sleeper", act: preStopHook},
		// The process ends so soon that a kubelet may not see it run.
		{name: "container-fails", pod: "failing", act: containerFails, ignoredSuffix: ": container running"},
	}
}

// relevant returns the lines that are compared.
func (c comparison) relevant(lines []string) (kept []string) {
	for _, line := range lines {
		if strings.HasPrefix(line, c.pod) && (c.ignoredSuffix == "" || !strings.HasSuffix(line, c.ignoredSuffix)) {
			kept = append(kept, line)
		}
	}
	return kept
}

// twoReplicas is the base with readiness probes that fail soon, but not within a grace period of two seconds.
const twoReplicas = `
resources: [MANIFESTS/base]
replicas: [{name: statefleet, count: 2}]
patches:
  - target: {kind: StatefulSet, name: statefleet}
    patch: |-
      - op: replace
        path: /spec/template/spec/containers/0/readinessProbe
        value: {httpGet: {path: /readyz, port: http-metrics}, periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 2}
`

// TestProcessKubeletWritesWhatAKubeletWrites checks that the process kubelet of the end-to-end tests writes the same
// states in the same order as a real kubelet: phase, conditions, the container's state with reason and exit code,
// restarts, deletion. Times differ.
func TestProcessKubeletWritesWhatAKubeletWrites(t *testing.T) {
	imageFolder(t)
	written := map[string]map[string][]string{}
	for name, start := range map[string]func(*testing.T) environment{"kubelet": realKubelet, "process kubelet": processKubelet} {
		t.Run(name, func(t *testing.T) {
			e := start(t)
			e.waitReady(t, 2)
			written[name] = map[string][]string{}
			for _, c := range comparisons() {
				r := startRecording(t, e.client)
				c.act(t, e)
				written[name][c.name] = r.stop()
			}
		})
	}
	for _, c := range comparisons() {
		t.Run(c.name, func(t *testing.T) {
			want, got := c.relevant(written["kubelet"][c.name]), c.relevant(written["process kubelet"][c.name])
			if len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("the process kubelet wrote:\n  %s\nwant, as the kubelet wrote:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
				return
			}
			t.Logf("%s changes=%d same=true\n  %s", c.name, len(want), strings.Join(want, "\n  "))
		})
	}
}

// realKubelet starts a cluster with one real node.
func realKubelet(t *testing.T) environment {
	s := newSetup(t, 1)
	s.install(t, writeKustomization(t, twoReplicas))
	return s.environment
}

// processKubelet starts an API server, the StatefulSet controller, and the kubelet of test/e2e.
func processKubelet(t *testing.T) environment {
	cluster := controlplane.Start(t, controlplane.Options{Controllers: []string{"statefulset-controller"}})
	client := cluster.Client()
	_, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err == nil {
		_, err = client.CoreV1().Nodes().Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}}, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	objects, err := manifest.Build(writeKustomization(t, twoReplicas))
	if err != nil {
		t.Fatal(err)
	}
	applier, err := manifest.NewApplier(cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if _, err := applier.Apply(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	kubeconfig := cluster.Kubeconfig(t, cluster.Token(t, namespace, "statefleet"))
	k := kubelet.Run(t, kubelet.Options{
		Client: client, Namespace: namespace, Selector: "app.kubernetes.io/name=statefleet", Node: "node-1", OwnPorts: true, MayHang: true,
		Notice: 500 * time.Millisecond, Flags: func(*corev1.Pod) []string { return []string{"--kubeconfig=" + kubeconfig} },
	})
	return environment{client: client, signal: func(t *testing.T, pod string, signal syscall.Signal) {
		t.Helper()
		replica := k.Replica(pod)
		if replica == nil {
			t.Fatalf("no process of %s runs", pod)
		}
		if err := syscall.Kill(replica.PID(), signal); err != nil {
			t.Fatal(err)
		}
	}}
}

// failReadiness suspends a process until its pod is not ready, and resumes it.
func failReadiness(t *testing.T, e environment) {
	e.signal(t, "statefleet-1", syscall.SIGSTOP)
	e.awaitPod(t, "statefleet-1", "is not ready", func(p corev1.Pod) bool { return !podReady(p) })
	e.signal(t, "statefleet-1", syscall.SIGCONT)
	e.waitReady(t, 2)
}

// runPod runs a single pod until the end of the test. It is like those of the fleet, except for its arguments and
// change.
func (e environment) runPod(t *testing.T, name string, change func(*corev1.PodSpec), args ...string) {
	t.Helper()
	set, err := e.client.AppsV1().StatefulSets(namespace).Get(t.Context(), "statefleet", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: set.Spec.Template.Labels}, Spec: set.Spec.Template.Spec}
	pod.Spec.Containers[0].Args = args
	change(&pod.Spec)
	pods := e.client.CoreV1().Pods(namespace)
	if _, err := pods.Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := pods.Delete(context.Background(), name, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
}

// preStopHook deletes a pod with a preStop hook. The container must get SIGTERM after the hook has ended.
func preStopHook(t *testing.T, e environment) {
	const seconds = 3
	e.runPod(t, "sleeper", func(spec *corev1.PodSpec) {
		spec.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: seconds}}}
	}, "--port=8080", "--telemetry-port=8081", "--shard=0", "--total-shards=1")
	e.awaitPod(t, "sleeper", "is ready", podReady)
	began, pods := time.Now(), e.client.CoreV1().Pods(namespace)
	if err := pods.Delete(t.Context(), "sleeper", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, time.Minute, "sleeper is gone", func() bool {
		_, err := pods.Get(t.Context(), "sleeper", metav1.GetOptions{})
		return err != nil
	})
	if time.Since(began) < seconds*time.Second {
		t.Errorf("the pod was gone after %s, want at least the %d s of its preStop hook", time.Since(began), seconds)
	}
}

// containerFails runs a container that always fails, until it waits after its second restart.
func containerFails(t *testing.T, e environment) {
	e.runPod(t, "failing", func(*corev1.PodSpec) {}, "--no-such-flag")
	e.awaitPod(t, "failing", "waits for its third restart", func(p corev1.Pod) bool {
		return restarts(p) == 2 && p.Status.ContainerStatuses[0].State.Waiting != nil
	})
}
