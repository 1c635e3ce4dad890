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

// written writes a configuration file and returns the flag that names it.
func written(t *testing.T, text string) (flag string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "config.yaml")
	writeFile(t, name, text)
	return "--config=" + name
}

// mounted is a file in a directory that changes as a mounted ConfigMap does: by a link to a directory that is exchanged.
func mounted(t *testing.T, dir, generation, text string) (name string) {
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

func TestChangedFilesAreSeenOnceTheyAreStill(t *testing.T) {
	dir := t.TempDir()
	name := mounted(t, dir, "..1", "a")
	var w watchedFiles
	if w.changed() {
		t.Error("no file has changed")
	}
	w.setBaseline([]config.File{{Name: name, Content: []byte("a")}})
	looks := func(what string, want ...bool) {
		t.Helper()
		for i, want := range want {
			if got := w.changed(); got != want {
				t.Errorf("%s, look %d: changed %v, want %v", what, i, got, want)
			}
		}
	}
	looks("as taken", false, false)
	mounted(t, dir, "..2", "b")
	looks("exchanged", false, true, true)
	mounted(t, dir, "..3", "c")
	looks("exchanged again", false)
	mounted(t, dir, "..4", "d")
	looks("exchanged at once", false, true)
	mounted(t, dir, "..5", "a")
	looks("exchanged for what was taken", false, false)
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	looks("removed", false, true)
	w.setBaseline([]config.File{{Name: name, Missing: true}})
	looks("removed and taken", false, false)
	writeFile(t, name, "a")
	looks("there again", false, true)
}
