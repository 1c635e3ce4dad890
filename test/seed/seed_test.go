package seed_test

import (
	"slices"
	"testing"

	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"github.com/statefleet/statefleet/test/controlplane"
	"github.com/statefleet/statefleet/test/seed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestRealAPIServerAcceptsEveryKind seeds a real API server, and checks that each kind has an object, with a status if
// the kind has one. If the API server dropped a status, the end-to-end tests would compare less than they claim.
func TestRealAPIServerAcceptsEveryKind(t *testing.T) {
	cluster := controlplane.Start(t, controlplane.Options{})
	if err := seed.All(t.Context(), cluster.Config(), 8); err != nil {
		t.Fatal(err)
	}
	client := dynamic.NewForConfigOrDie(cluster.Config())
	stateless, kinds := []string{"limitranges", "services"}, seed.Kinds()
	if len(kinds) != 15 {
		t.Errorf("got %d kinds, want 15", len(kinds))
	}
	for _, kind := range kinds {
		list, err := client.Resource(kind).List(t.Context(), metav1.ListOptions{})
		if err != nil || len(list.Items) == 0 {
			t.Errorf("%s: got %d objects, error %v; want at least one object", kind.Resource, len(list.Items), err)
			continue
		}
		last := list.Items[len(list.Items)-1]
		if status, ok := last.Object["status"].(map[string]any); !slices.Contains(stateless, kind.Resource) && (!ok || len(status) == 0) {
			t.Errorf("%s %s has no status", kind.Resource, last.GetName())
		}
	}
}
