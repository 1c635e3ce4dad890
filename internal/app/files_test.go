package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/statefleet/statefleet/internal/config"
)

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// writeConfig writes a configuration file and returns the flag that names it.
func writeConfig(t *testing.T, text string) (flag string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "config.yaml")
	writeFile(t, name, text)
	return "--config=" + name
}

// mountConfig writes a file as the kubelet writes a mounted ConfigMap: it replaces a symbolic link to a directory.
func mountConfig(t *testing.T, dir, generation, text string) (name string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(dir, generation), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, generation, "config.yaml"), text)
	link := filepath.Join(dir, "..data")
	if err := os.Symlink(generation, link+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
	name = filepath.Join(dir, "config.yaml")
	if err := os.Symlink("..data/config.yaml", name); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	return name
}

func TestChangedFilesAreReportedOnceStable(t *testing.T) {
	dir := t.TempDir()
	name := mountConfig(t, dir, "..1", "a")
	var w watchedFiles
	if w.changed() {
		t.Error("got a change without files")
	}
	w.baseline = []config.File{{Name: name, Content: []byte("a")}}
	polls := func(what string, want ...bool) {
		t.Helper()
		for i, want := range want {
			if got := w.changed(); got != want {
				t.Errorf("%s, poll %d: got changed %v, want %v", what, i, got, want)
			}
		}
	}
	polls("unchanged", false, false)
	mountConfig(t, dir, "..2", "b")
	polls("replaced", false, true, true)
	mountConfig(t, dir, "..3", "c")
	polls("replaced again", false)
	mountConfig(t, dir, "..4", "d")
	polls("replaced at once", false, true)
	mountConfig(t, dir, "..5", "a")
	polls("replaced by the baseline", false, false)
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	polls("removed", false, true)
	w.baseline = []config.File{{Name: name, Missing: true}}
	polls("removed in the baseline", false, false)
	writeFile(t, name, "a")
	polls("created again", false, true)
}
