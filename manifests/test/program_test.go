package test

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// buildProgram compiles the program and returns the path of its binary.
func buildProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "statefleet")
	compile := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/statefleet")
	compile.Dir = "../.."
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// TestProgramTakesTheArguments starts the program with the arguments of each workload. The error must be about the
// missing kubeconfig. An invalid flag or value would cause another error first.
func TestProgramTakesTheArguments(t *testing.T) {
	program := buildProgram(t)
	manifests := everyManifest(t)
	for _, pair := range pairs(t) {
		manifests[strings.Join(pair[:], " and ")] = buildWith(t, pair[:]...)
	}
	cases := map[string]corev1.PodSpec{}
	for name, all := range manifests {
		for owner, template := range podTemplates(all) {
			cases[name+", "+owner] = template.Spec
		}
	}
	const absent = "no-such-kubeconfig"
	for name, spec := range cases {
		var args []string
		for _, arg := range spec.Containers[0].Args {
			// These files are in volumes, which do not exist here.
			if !strings.HasPrefix(arg, "--custom-resource-state-config-file=") && !strings.HasPrefix(arg, "--web.config.file=") {
				args = append(args, strings.NewReplacer("$(POD_NAME)", "statefleet-0", "$(POD_NAMESPACE)", "a", "$(NODE_NAME)", "n").Replace(arg))
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		out, err := exec.CommandContext(ctx, program, append(args, "--kubeconfig="+absent)...).CombinedOutput()
		cancel()
		if exit := new(exec.ExitError); !errors.As(err, &exit) || !strings.Contains(string(out), absent) {
			t.Errorf("%s: got error %v, want one about %s:\n%s", name, err, absent, out)
		}
	}
}

// TestChartIsTheBase checks that without values, the chart has the same pods as the base, and the same rights to its
// own fleet.
func TestChartIsTheBase(t *testing.T) {
	chart, base := rendered(t, `{}`), build(t, "base")
	got, want := pod(t, chart), pod(t, base)
	got.Containers[0].Args = slices.DeleteFunc(got.Containers[0].Args, func(arg string) bool { return strings.HasPrefix(arg, "--resources=") })
	got.Containers[0].Image, want.Containers[0].Image = "", ""
	for i := range got.TopologySpreadConstraints {
		got.TopologySpreadConstraints[i].LabelSelector = want.TopologySpreadConstraints[i].LabelSelector
	}
	got.DNSPolicy = want.DNSPolicy // the default, which the base does not set
	equal(t, "pod", got, want)
	equal(t, "own role", find[*rbacv1.Role](t, chart, "statefleet").Rules, find[*rbacv1.Role](t, base, "statefleet").Rules)
	gotService, wantService := find[*corev1.Service](t, chart, "statefleet").Spec, find[*corev1.Service](t, base, "statefleet").Spec
	gotService.Selector = wantService.Selector
	equal(t, "Service", gotService, wantService)
	gotSet, wantSet := workload(t, chart), workload(t, base)
	equal(t, "name of the Service", gotSet.Spec.ServiceName, wantSet.Spec.ServiceName)
	equal(t, "replicas", gotSet.Spec.Replicas, wantSet.Spec.Replicas)
	equal(t, "pod management", gotSet.Spec.PodManagementPolicy, wantSet.Spec.PodManagementPolicy)
	find[*corev1.ConfigMap](t, chart, "statefleet-topology")
	find[*corev1.ConfigMap](t, base, "statefleet-topology")
}

func workload(t *testing.T, all objects) *appsv1.StatefulSet {
	t.Helper()
	return find[*appsv1.StatefulSet](t, all, "statefleet")
}

func pod(t *testing.T, all objects) corev1.PodSpec {
	t.Helper()
	return workload(t, all).Spec.Template.Spec
}

func arguments(t *testing.T, all objects) []string {
	t.Helper()
	return pod(t, all).Containers[0].Args
}

func equal[T any](t *testing.T, what string, chart, base T) {
	t.Helper()
	if difference := cmp.Diff(base, chart); difference != "" {
		t.Errorf("%s: base (-) and chart (+) differ:\n%s", what, difference)
	}
}
