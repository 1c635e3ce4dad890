//go:build linux

package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// composed makes a kustomization until the end of the test and returns its folder, relative to the repository's root.
// MANIFESTS in the text is the folder of manifests.
func composed(t *testing.T, text string) string {
	t.Helper()
	root, err := fleet.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	manifests, err := filepath.Rel(dir, filepath.Join(root, "manifests"))
	if err != nil {
		t.Fatal(err)
	}
	text = strings.ReplaceAll(text, "MANIFESTS", manifests)
	if err := os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	folder, err := filepath.Rel(root, dir)
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// withComponent is the base with a component.
func withComponent(t *testing.T, name string) string {
	t.Helper()
	return composed(t, "resources: [MANIFESTS/base]\ncomponents: [MANIFESTS/components/"+name+"]\n")
}
