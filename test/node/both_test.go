//go:build linux

package node

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/statefleet/statefleet/test/controlplane"
	"github.com/statefleet/statefleet/test/kubelet"
	"github.com/statefleet/statefleet/test/manifest"
)

// place is where a fleet of two runs.
type place struct {
	client kubernetes.Interface
	// signal sends a signal to the process of a pod.
	signal func(t *testing.T, pod string, s syscall.Signal)
}

// happening is something that happens to a pod or to all of the fleet.
type happening struct {
	name, pod string
	act       func(t *testing.T, p place)
	// but is the end of lines that are not compared.
	but string
}

func happenings() []happening {
	const last = "statefleet-1"
	return []happening{
		{name: "pod-deleted", pod: last, act: func(t *testing.T, p place) { p.replaced(t, last, nil) }},
		{name: "process-killed", pod: last, act: func(t *testing.T, p place) { p.restarted(t, last, syscall.SIGKILL) }},
		{name: "process-ends-soon-again", pod: last, act: func(t *testing.T, p place) { p.restarted(t, last, syscall.SIGTERM) }},
		{name: "readiness-fails", pod: last, act: unready},
		// Probes may fail after the process is killed and before a kubelet has looked.
		{name: "outlives-its-grace-period", pod: last, but: ": ready false", act: func(t *testing.T, p place) {
			p.signal(t, last, syscall.SIGSTOP)
			grace := int64(2)
			p.replaced(t, last, &grace)
		}},
		{name: "rollout", act: func(t *testing.T, p place) { p.rollOut(t) }},
		{name: "pre-stop-hook", pod: "sleeper", act: preStopHook},
		// It runs for less time than a kubelet takes to look.
		{name: "container-fails", pod: "failing", act: containerFails, but: ": container running"},
	}
}

// compared are the lines that matter.
func (h happening) compared(lines []string) (matter []string) {
	for _, line := range lines {
		if strings.HasPrefix(line, h.pod) && (h.but == "" || !strings.HasSuffix(line, h.but)) {
			matter = append(matter, line)
		}
	}
	return matter
}

// twoReplicas is the base with readiness probes that notice soon, but not within a grace period of two seconds.
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

// TestProcessKubeletWritesWhatAKubeletWrites: whatever happens to a pod, the small kubelet of the end-to-end tests writes
// the same states in the same order as a real one: phase, conditions, the container's state with reason and exit code,
// restarts, deletion. Times differ.
func TestProcessKubeletWritesWhatAKubeletWrites(t *testing.T) {
	if os.Getenv("IMAGE") == "" {
		t.Skip(`NOT TESTED: the programs of a cluster take minutes to build; "make cluster-test" does it`)
	}
	written := map[string]map[string][]string{}
	for name, start := range map[string]func(*testing.T) place{"kubelet": realKubelet, "process kubelet": processKubelet} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			p.waitReady(t, "statefleet-0", "statefleet-1")
			written[name] = map[string][]string{}
			for _, h := range happenings() {
				r := follow(t, p.client)
				h.act(t, p)
				written[name][h.name] = r.stop()
			}
		})
	}
	for _, h := range happenings() {
		t.Run(h.name, func(t *testing.T) {
			want, got := h.compared(written["kubelet"][h.name]), h.compared(written["process kubelet"][h.name])
			if len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("the process kubelet writes:\n  %s\na kubelet writes:\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
				return
			}
			t.Logf("%s changes=%d same=true\n  %s", h.name, len(want), strings.Join(want, "\n  "))
		})
	}
}

// realKubelet is a node.
func realKubelet(t *testing.T) place {
	s := newSite(t, 1)
	s.install(t, composed(t, twoReplicas))
	return place{client: s.Client(), signal: func(t *testing.T, pod string, signal syscall.Signal) {
		s.signal(t, pod, strconv.Itoa(int(signal)))
	}}
}

// processKubelet is an API server with the controllers that are needed, and the kubelet of test/e2e.
func processKubelet(t *testing.T) place {
	cluster := controlplane.Start(t, controlplane.Options{Controllers: []string{"statefulset-controller"}})
	client := cluster.Client()
	_, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err == nil {
		_, err = client.CoreV1().Nodes().Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}}, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	objects, err := manifest.Build(composed(t, twoReplicas))
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
	return place{client: client, signal: func(t *testing.T, pod string, signal syscall.Signal) {
		t.Helper()
		replica := k.Replica(pod)
		if replica == nil {
			t.Fatalf("%s does not run", pod)
		}
		if err := syscall.Kill(replica.PID(), signal); err != nil {
			t.Fatal(err)
		}
	}}
}

// eventually waits until a pod is as it should be, and returns it.
func (p place) eventually(t *testing.T, name, what string, is func(*corev1.Pod) bool) *corev1.Pod {
	t.Helper()
	var pod *corev1.Pod
	err := waitFor(2*time.Minute, func() bool {
		got, err := p.client.CoreV1().Pods(namespace).Get(t.Context(), name, metav1.GetOptions{})
		pod = got
		return err == nil && is(got)
	})
	if err != nil {
		t.Fatalf("%s %s: %v: %+v", name, what, err, pod)
	}
	return pod
}

func (p place) waitReady(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		p.eventually(t, name, "is ready", func(pod *corev1.Pod) bool { return pod.DeletionTimestamp == nil && podReady(*pod) })
	}
}

// replaced deletes a pod and waits until its successor is ready.
func (p place) replaced(t *testing.T, name string, grace *int64) {
	t.Helper()
	pods := p.client.CoreV1().Pods(namespace)
	before, err := pods.Get(t.Context(), name, metav1.GetOptions{})
	if err == nil {
		err = pods.Delete(t.Context(), name, metav1.DeleteOptions{GracePeriodSeconds: grace})
	}
	if err != nil {
		t.Fatal(err)
	}
	p.eventually(t, name, "is replaced", func(pod *corev1.Pod) bool { return pod.UID != before.UID && podReady(*pod) })
}

// restarted ends the process of a pod and waits until the next one is ready.
func (p place) restarted(t *testing.T, name string, signal syscall.Signal) {
	t.Helper()
	before := p.eventually(t, name, "has a container", func(pod *corev1.Pod) bool { return len(pod.Status.ContainerStatuses) == 1 })
	p.signal(t, name, signal)
	p.eventually(t, name, "runs again", func(pod *corev1.Pod) bool {
		return podReady(*pod) && pod.Status.ContainerStatuses[0].RestartCount > before.Status.ContainerStatuses[0].RestartCount
	})
}

// unready stops a process for a while: it is not ready then, and runs on afterwards.
func unready(t *testing.T, p place) {
	p.signal(t, "statefleet-1", syscall.SIGSTOP)
	p.eventually(t, "statefleet-1", "is not ready", func(pod *corev1.Pod) bool { return !podReady(*pod) })
	p.signal(t, "statefleet-1", syscall.SIGCONT)
	p.waitReady(t, "statefleet-1")
}

// rollOut replaces both pods, one after the other.
func (p place) rollOut(t *testing.T) {
	t.Helper()
	sets := p.client.AppsV1().StatefulSets(namespace)
	patch := []byte(`{"spec": {"template": {"metadata": {"annotations": {"restarted": "now"}}}}}`)
	if _, err := sets.Patch(t.Context(), "statefleet", types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	err := waitFor(2*time.Minute, func() bool {
		set, err := sets.Get(t.Context(), "statefleet", metav1.GetOptions{})
		return err == nil && set.Status.ObservedGeneration == set.Generation && set.Status.UpdatedReplicas == 2 &&
			set.Status.ReadyReplicas == 2 && set.Status.CurrentRevision == set.Status.UpdateRevision
	})
	if err != nil {
		t.Fatalf("rollout: %v", err)
	}
}

// run runs a pod of its own until the end of the test, like those of the fleet but for its arguments.
func (p place) run(t *testing.T, name string, change func(*corev1.PodSpec), args ...string) {
	t.Helper()
	set, err := p.client.AppsV1().StatefulSets(namespace).Get(t.Context(), "statefleet", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: set.Spec.Template.Labels}, Spec: set.Spec.Template.Spec}
	pod.Spec.Containers[0].Args = args
	change(&pod.Spec)
	pods := p.client.CoreV1().Pods(namespace)
	if _, err := pods.Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		now := int64(0)
		err := pods.Delete(context.Background(), name, metav1.DeleteOptions{GracePeriodSeconds: &now})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
}

// end deletes a pod and waits until it is gone.
func (p place) end(t *testing.T, name string) {
	t.Helper()
	pods := p.client.CoreV1().Pods(namespace)
	if err := pods.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	err := waitFor(time.Minute, func() bool { _, err := pods.Get(t.Context(), name, metav1.GetOptions{}); return err != nil })
	if err != nil {
		t.Fatalf("%s is deleted, and there: %v", name, err)
	}
}

// preStopHook: a container gets its signal after its hook.
func preStopHook(t *testing.T, p place) {
	const seconds = 3
	p.run(t, "sleeper", func(spec *corev1.PodSpec) {
		spec.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: seconds}}}
	}, "--port=8080", "--telemetry-port=8081", "--shard=0", "--total-shards=1")
	p.waitReady(t, "sleeper")
	began := time.Now()
	if p.end(t, "sleeper"); time.Since(began) < seconds*time.Second {
		t.Errorf("the pod was gone after %s, and its hook takes %d s", time.Since(began), seconds)
	}
}

// containerFails: a container that always ends is started again at once, then after a while.
func containerFails(t *testing.T, p place) {
	p.run(t, "failing", func(*corev1.PodSpec) {}, "--no-such-flag")
	p.eventually(t, "failing", "waits for the third time", func(pod *corev1.Pod) bool {
		return len(pod.Status.ContainerStatuses) == 1 && pod.Status.ContainerStatuses[0].RestartCount == 2 &&
			pod.Status.ContainerStatuses[0].State.Waiting != nil
	})
}
