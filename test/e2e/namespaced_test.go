package e2e

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/statefleet/statefleet/test/controlplane"
	"github.com/statefleet/statefleet/test/fleet"
	"github.com/statefleet/statefleet/test/manifest"
	"github.com/statefleet/statefleet/test/seed"
)

// TestRolesSuffice runs a replica with the arguments and the rights of the overlay that has Roles only: it gets ready, and
// nothing that it is told to expose is forbidden.
func TestRolesSuffice(t *testing.T) {
	cluster := controlplane.Start(t, controlplane.Options{})
	applier, err := manifest.NewApplier(cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	objects, err := manifest.Build("manifests/overlays/namespaced")
	if err != nil {
		t.Fatal(err)
	}
	var flags []string
	for _, object := range objects {
		if _, err := applier.Apply(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		flags = append(flags, arguments(t, object)...)
	}
	if err := seed.All(t.Context(), cluster.Client(), 3); err != nil {
		t.Fatal(err)
	}
	replica := fleet.Start(t, append(flags, "--kubeconfig="+cluster.Kubeconfig(t, cluster.Token(t, namespace, account)))...)
	replica.WaitReady(t)
	self, err := replica.SelfMetrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if forbidden, n := self.Sum(fleet.ResourcePhase, map[string]string{"phase": "forbidden"}); forbidden != 0 || n < 15 {
		t.Errorf("%v of %d kinds are forbidden", forbidden, n)
	}
	if synced, _ := self.Sum(fleet.ResourcePhase, map[string]string{"phase": "synced"}); synced < 15 {
		t.Errorf("%v kinds are synced", synced)
	}
}

// arguments are those of a StatefulSet's container that choose what is exposed.
func arguments(t *testing.T, object *unstructured.Unstructured) []string {
	t.Helper()
	if object.GetKind() != "StatefulSet" {
		return nil
	}
	var set appsv1.StatefulSet
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &set); err != nil {
		t.Fatal(err)
	}
	var chosen []string
	for _, arg := range set.Spec.Template.Spec.Containers[0].Args {
		if strings.HasPrefix(arg, "--resources=") || strings.HasPrefix(arg, "--namespaces=") {
			chosen = append(chosen, arg)
		}
	}
	return chosen
}
