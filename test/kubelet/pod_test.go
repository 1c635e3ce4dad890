package kubelet

import (
	"slices"
	"testing"

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
	if got := somePod().args(); !slices.Equal(got, want) {
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
