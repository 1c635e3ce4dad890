//go:build linux

package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// writeKustomization writes a kustomization that exists until the end of the test. It returns the folder, relative to
// the repository's root. MANIFESTS in the text stands for the folder of manifests.
func writeKustomization(t *testing.T, text string) string {
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

// baseWithComponent writes a kustomization of the base with a component, and returns its folder.
func baseWithComponent(t *testing.T, name string) string {
	t.Helper()
	return writeKustomization(t, "resources: [MANIFESTS/base]\ncomponents: [MANIFESTS/components/"+name+"]\n")
}
