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

func somePod() *pod {
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
	if got := somePod().args(nil); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestURLsAreOfThePodsOwnAddress(t *testing.T) {
	for port, want := range map[string]string{"http-metrics": "http://127.20.0.1:18080", "telemetry": "http://127.20.0.1:18081"} {
		if got := somePod().url(port); got != want {
			t.Errorf("%s: got %s, want %s", port, got, want)
		}
	}
}

// What replicas tell from a status is as a kubelet writes it.
func TestStatusTellsAFirstStartFromARestart(t *testing.T) {
	began, since := metav1.NewTime(time.Unix(2000, 0)), metav1.NewTime(time.Unix(1000, 0))
	for name, c := range map[string]struct {
		now     state
		running bool
	}{
		"not begun": {state{since: since}, false},
		"begun":     {state{running: true, began: began, since: since}, true},
		"again":     {state{running: true, began: began, since: since, restarts: 1}, true},
	} {
		is := somePod().status(c.now, since)
		container, ready := is.ContainerStatuses[0], is.Conditions[2]
		if running := container.State.Running; (running != nil) != c.running || running != nil && !running.StartedAt.Equal(&began) ||
			int(container.RestartCount) != c.now.restarts || ready.Status != corev1.ConditionFalse || !ready.LastTransitionTime.Equal(&since) {
			t.Errorf("%s: %+v, %+v", name, container, ready)
		}
	}
}

// The states between two processes, and after the last one, are those that a kubelet writes.
func TestStatusTellsHowAProcessEnded(t *testing.T) {
	at := metav1.NewTime(time.Unix(2000, 0))
	began := state{began: at}
	with := func(change func(*state)) state { s := began; change(&s); return s }
	for name, c := range map[string]struct {
		now           state
		phase         corev1.PodPhase
		present, last string
	}{
		"not begun":  {state{}, corev1.PodPending, "ContainerCreating", ""},
		"runs again": {with(func(s *state) { s.running, s.last = true, termination{at: at} }), corev1.PodRunning, "running", "Completed 0"},
		"died":       {with(func(s *state) { s.ended = termination{at: at, code: 2} }), corev1.PodRunning, "Error 2", ""},
		"waits": {
			with(func(s *state) { s.backOff, s.ended = true, termination{at: at, code: 137, memory: true} }),
			corev1.PodRunning, "CrashLoopBackOff", "OOMKilled 137",
		},
		"deleted": {with(func(s *state) { s.over, s.ended = true, termination{at: at} }), corev1.PodSucceeded, "Completed 0", ""},
		"killed":  {with(func(s *state) { s.over, s.ended = true, termination{at: at, code: 137} }), corev1.PodFailed, "Error 137", ""},
	} {
		is := somePod().status(c.now, at)
		container := is.ContainerStatuses[0]
		if is.Phase != c.phase || words(container.State) != c.present || words(container.LastTerminationState) != c.last {
			t.Errorf("%s: %s, %q, %q; want %s, %q, %q", name, is.Phase, words(container.State), words(container.LastTerminationState), c.phase, c.present, c.last)
		}
	}
}

func words(s corev1.ContainerState) string {
	switch {
	case s.Running != nil:
		return "running"
	case s.Waiting != nil:
		return s.Waiting.Reason
	case s.Terminated != nil:
		return fmt.Sprintf("%s %d", s.Terminated.Reason, s.Terminated.ExitCode)
	}
	return ""
}

func TestPodsOfADaemonSetBelongToTheirNodes(t *testing.T) {
	p := somePod()
	p.k = &Kubelet{o: Options{Node: "any"}}
	if got := p.node(); got != "any" {
		t.Errorf("a pod that may run anywhere is on %s", got)
	}
	p.spec.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchFields: []corev1.NodeSelectorRequirement{
			{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"node-3"}},
		}}},
	}}}
	if got := p.node(); got != "node-3" {
		t.Errorf("it is on %s", got)
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
		t.Errorf("ports %v, arguments %q", c.Ports, c.Args)
	}
}

func TestPodThatIsHeldStartsWhenItIsReleased(t *testing.T) {
	k := &Kubelet{held: map[string]chan struct{}{}}
	k.Hold("fleet-1")
	p, other := somePod(), somePod()
	p.held, other.held = k.held["fleet-1"], k.held["fleet-2"]
	if !other.admit(t.Context()) {
		t.Error("a pod of another name is held")
	}
	admitted := make(chan bool, 1)
	go func() { admitted <- p.admit(t.Context()) }()
	select {
	case <-admitted:
		t.Error("the pod was admitted before it was released")
	default:
	}
	k.Release("fleet-1")
	if !<-admitted {
		t.Error("the pod was not admitted")
	}
	ended, end := context.WithCancel(t.Context())
	end()
	p.held = make(chan struct{})
	if p.admit(ended) {
		t.Error("a pod was admitted after the end of the test")
	}
}
