package kubelet

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newTestPod() *pod {
	return &pod{ip: "127.20.0.1", spec: &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "statefleet", Name: "statefleet-1"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Args: []string{"--pod=$(POD_NAME)", "--pod-namespace=$(POD_NAMESPACE)", "--shard=$(WHERE)", "--cost=$(UNKNOWN)"},
			Env: []corev1.EnvVar{
				{Name: "POD_NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
				{Name: "POD_NAMESPACE", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.namespace"}}},
				{Name: "WHERE", Value: "2"},
			},
			Ports: []corev1.ContainerPort{{Name: "http-metrics", ContainerPort: 18080}, {Name: "telemetry", ContainerPort: 18081}},
		}}},
	}}
}

func TestArgsAreExpandedFromTheEnvironment(t *testing.T) {
	want := []string{"--pod=statefleet-1", "--pod-namespace=statefleet", "--shard=2", "--cost=$(UNKNOWN)"}
	if got := newTestPod().args(nil); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestURLsAreOfThePodsOwnAddress(t *testing.T) {
	for port, want := range map[string]string{"http-metrics": "http://127.20.0.1:18080", "telemetry": "http://127.20.0.1:18081"} {
		if got := newTestPod().url(port); got != want {
			t.Errorf("%s: got %s, want %s", port, got, want)
		}
	}
}

// Before, between and after processes, the status is the one that a kubelet writes. Replicas distinguish the first start
// of a pod from a restart by it.
func TestStatusIsThatOfAKubelet(t *testing.T) {
	at, readyChanged := metav1.NewTime(time.Unix(2000, 0)), metav1.NewTime(time.Unix(1000, 0))
	started := state{startedAt: at, readyChanged: readyChanged}
	with := func(change func(*state)) state { s := started; change(&s); return s }
	for name, c := range map[string]struct {
		now           state
		phase         corev1.PodPhase
		current, last string
	}{
		"not started": {state{readyChanged: readyChanged}, corev1.PodPending, "ContainerCreating", ""},
		"started":     {with(func(s *state) { s.running = true }), corev1.PodRunning, "running since 2000", ""},
		"restarted": {
			with(func(s *state) { s.running, s.restarts, s.last = true, 1, termination{at: at} }),
			corev1.PodRunning, "running since 2000", "Completed 0",
		},
		"died": {with(func(s *state) { s.ended = termination{at: at, exitCode: 2} }), corev1.PodRunning, "Error 2", ""},
		"waits": {
			with(func(s *state) { s.backOff, s.ended = true, termination{at: at, exitCode: 137, oomKilled: true} }),
			corev1.PodRunning, "CrashLoopBackOff", "OOMKilled 137",
		},
		"deleted": {with(func(s *state) { s.final, s.ended = true, termination{at: at} }), corev1.PodSucceeded, "Completed 0", ""},
		"killed":  {with(func(s *state) { s.final, s.ended = true, termination{at: at, exitCode: 137} }), corev1.PodFailed, "Error 137", ""},
	} {
		status := newTestPod().status(c.now, at)
		container, ready := status.ContainerStatuses[0], status.Conditions[3]
		if status.Phase != c.phase || describe(container.State) != c.current || describe(container.LastTerminationState) != c.last {
			t.Errorf("%s: got phase %s, state %q, last state %q; want %s, %q, %q", name, status.Phase, describe(container.State),
				describe(container.LastTerminationState), c.phase, c.current, c.last)
		}
		if int(container.RestartCount) != c.now.restarts || ready.Type != corev1.PodReady || ready.Status != corev1.ConditionFalse ||
			!ready.LastTransitionTime.Equal(&readyChanged) {
			t.Errorf("%s: got %d restarts and condition %+v, want %d restarts, not ready since %s", name, container.RestartCount, ready,
				c.now.restarts, readyChanged)
		}
	}
}

// describe returns a container state in the form of the expectations above.
func describe(s corev1.ContainerState) string {
	switch {
	case s.Running != nil:
		return fmt.Sprint("running since ", s.Running.StartedAt.Unix())
	case s.Waiting != nil:
		return s.Waiting.Reason
	case s.Terminated != nil:
		return fmt.Sprintf("%s %d", s.Terminated.Reason, s.Terminated.ExitCode)
	}
	return ""
}

func TestPodsOfADaemonSetBelongToTheirNodes(t *testing.T) {
	p := newTestPod()
	p.k = &Kubelet{o: Options{Node: "any"}}
	if got := p.nodeName(); got != "any" {
		t.Errorf("without node affinity: got node %q, want %q", got, "any")
	}
	p.spec.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{
			{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"node-3"}},
		}}},
	}}}
	if got := p.nodeName(); got != "node-3" {
		t.Errorf("with node affinity: got node %q, want %q", got, "node-3")
	}
}

func TestOwnPortsAreInArgumentsToo(t *testing.T) {
	spec := &corev1.PodSpec{Containers: []corev1.Container{{
		Args:  []string{"--port=8080", "--telemetry-port=8081", "--other=18080"},
		Ports: []corev1.ContainerPort{{ContainerPort: 8080}, {ContainerPort: 8081}},
	}}}
	if err := OwnPorts(spec); err != nil {
		t.Fatal(err)
	}
	c := spec.Containers[0]
	want := []string{fmt.Sprintf("--port=%d", c.Ports[0].ContainerPort), fmt.Sprintf("--telemetry-port=%d", c.Ports[1].ContainerPort), "--other=18080"}
	if !slices.Equal(c.Args, want) || c.Ports[0].ContainerPort == 8080 || c.Ports[0] == c.Ports[1] {
		t.Errorf("got arguments %q and ports %v, want arguments %q and two different free ports", c.Args, c.Ports, want)
	}
}

func TestPodThatIsHeldStartsWhenItIsReleased(t *testing.T) {
	k := &Kubelet{held: map[string]chan struct{}{}}
	k.Hold("fleet-1")
	p, other := newTestPod(), newTestPod()
	p.released, other.released = k.held["fleet-1"], k.held["fleet-2"]
	if !other.admit(t.Context()) {
		t.Error("a pod with another name is held, want it admitted")
	}
	admitted := make(chan bool, 1)
	go func() { admitted <- p.admit(t.Context()) }()
	select {
	case <-admitted:
		t.Error("the pod was admitted before Release")
	default:
	}
	k.Release("fleet-1")
	if !<-admitted {
		t.Error("the pod was not admitted after Release")
	}
	ended, end := context.WithCancel(t.Context())
	end()
	p.released = make(chan struct{})
	if p.admit(ended) {
		t.Error("a pod was admitted after the end of the test")
	}
}
