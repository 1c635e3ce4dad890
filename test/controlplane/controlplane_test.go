package controlplane_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/statefleet/statefleet/test/controlplane"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestVersionIsThatOfKubernetes checks what the end-to-end tests do not notice. They depend on the rights of tokens,
// sharding and controllers.
func TestVersionIsThatOfKubernetes(t *testing.T) {
	cluster := controlplane.Start(t, controlplane.Options{})
	version, err := cluster.Client().Discovery().ServerVersion()
	if err != nil || version.GitVersion != controlplane.Version {
		t.Fatalf("got version %v, error %v; want %s", version, err, controlplane.Version)
	}
}
