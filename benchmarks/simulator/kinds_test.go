package simulator

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/statefleet/statefleet/resources"
)

// TestClusterServesEveryKind checks that each kind of statefleet is served as one kind, which has a protobuf encoding.
func TestClusterServesEveryKind(t *testing.T) {
	served := map[schema.GroupVersionResource]int{}
	for _, kind := range Kinds() {
		if _, err := kind.New(); err != nil {
			t.Error(err)
		}
		served[kind.GroupVersion().WithResource(kind.Resource)]++
	}
	for _, k := range resources.All() {
		if n := served[k.Resource]; n != 1 {
			t.Errorf("%s: got %d kinds with this name in the scheme, want 1", k.Resource, n)
		}
	}
}
