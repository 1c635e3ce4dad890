package shard

import (
	"go/build"
	"strings"
	"testing"
)

// Other packages use ownership without Kubernetes, so this one must stay pure.
func TestPackageImportsNoKubernetesPackage(t *testing.T) {
	pkg, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range pkg.Imports {
		if strings.HasPrefix(path, "k8s.io/") || strings.HasPrefix(path, "github.com/statefleet/statefleet/") {
			t.Errorf("shard must not import %s", path)
		}
	}
}
