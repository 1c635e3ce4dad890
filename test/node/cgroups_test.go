//go:build linux

package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// writeTree writes files to a folder that stands in for the mounted control groups.
func writeTree(t *testing.T, files map[string]string) (root string) {
	t.Helper()
	tree := fstest.MapFS{}
	for name, text := range files {
		tree[name] = &fstest.MapFile{Data: []byte(text)}
	}
	root = t.TempDir()
	if err := os.CopyFS(root, tree); err != nil {
		t.Fatal(err)
	}
	return root
}

// v1Tree returns the files of all hierarchies of cgroup v1, except those in without.
func v1Tree(without ...string) map[string]string {
	files := map[string]string{"cpuset/cpuset.cpus": "0-1\n", "cpuset/cpuset.mems": "0\n"}
	for _, h := range hierarchies() {
		if !slices.Contains(without, h) {
			files[h+"/cgroup.procs"] = ""
		}
	}
	return files
}

func TestCgroupsAreFound(t *testing.T) {
	hybrid := v1Tree()
	hybrid["unified/cgroup.controllers"] = "hugetlb\n"
	for name, c := range map[string]struct {
		files         map[string]string
		want, wantErr string
	}{
		"v2":                 {files: map[string]string{"cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma\n"}, want: "cgroup v2"},
		"v2 without some":    {files: map[string]string{"cgroup.controllers": "cpu io\n"}, wantErr: "lacks the controllers memory, pids"},
		"v1":                 {files: v1Tree(), want: "cgroup v1"},
		"hybrid":             {files: hybrid, want: "cgroup v1 (hybrid)"},
		"v1 without systemd": {files: v1Tree("systemd"), wantErr: "systemd"},
		"nothing":            {wantErr: "want cgroup v2"},
	} {
		got, err := findCgroups(writeTree(t, c.files))
		switch {
		case c.wantErr != "" && (err == nil || !strings.Contains(err.Error(), c.wantErr)):
			t.Errorf("%s: got error %v, want one that contains %q", name, err, c.wantErr)
		case c.wantErr == "" && (err != nil || got.String() != c.want):
			t.Errorf("%s: got %s, error %v; want %s", name, got, err, c.want)
		}
	}
}

// TestCgroupsOfAMachine checks that a machine has one cgroup in each hierarchy of v1, with the CPUs of the host, and a
// single one in v2, with the controllers enabled.
func TestCgroupsOfAMachine(t *testing.T) {
	v1 := cgroups{root: writeTree(t, v1Tree())}
	if err := v1.create("m"); err != nil {
		t.Fatal(err)
	}
	for _, h := range hierarchies() {
		if _, err := os.Stat(filepath.Join(v1.root, h, "m")); err != nil {
			t.Error(err)
		}
	}
	if cpus, err := os.ReadFile(filepath.Join(v1.root, "cpuset/m/cpuset.cpus")); err != nil || string(cpus) != "0-1\n" {
		t.Errorf("cpuset.cpus: got %q, error %v; want %q", cpus, err, "0-1\n")
	}
	v2 := cgroups{unified: true, root: writeTree(t, map[string]string{"cgroup.subtree_control": "cpu memory\n"})}
	if err := v2.create("m"); err != nil {
		t.Fatal(err)
	}
	// The kernel would accumulate the controllers that are written to this file; here it keeps the last write only.
	if last, err := os.ReadFile(filepath.Join(v2.root, "cgroup.subtree_control")); err != nil || string(last) != "+pids" {
		t.Errorf("cgroup.subtree_control: got %q, error %v; want %q", last, err, "+pids")
	}
	if got := v2.dirs("m"); len(got) != 1 || got[0] != filepath.Join(v2.root, "m") {
		t.Errorf("folders of a machine: got %q, want %q", got, filepath.Join(v2.root, "m"))
	}
	if err := v2.remove("m"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(v2.root, "m")); !os.IsNotExist(err) {
		t.Errorf("the cgroup still exists after remove: %v", err)
	}
}

// TestSweepKeepsWhatAProcessUses checks that a sweep removes the cgroups and folders of processes that have ended, and
// keeps those of others.
func TestSweepKeepsWhatAProcessUses(t *testing.T) {
	gone := exec.CommandContext(t.Context(), "true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	for _, g := range []cgroups{{root: writeTree(t, v1Tree())}, {root: t.TempDir(), unified: true}} {
		ours, theirs := cgroupPrefix+strconv.Itoa(os.Getpid())+"-1", cgroupPrefix+strconv.Itoa(gone.Process.Pid)+"-123-1"
		for _, dir := range slices.Concat(g.dirs(ours), g.dirs(theirs+"/kubepods")) {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.sweep(); err != nil {
			t.Fatal(err)
		}
		if dirs, err := g.machineDirs(); err != nil || !slices.Equal(dirs, g.dirs(ours)) {
			t.Errorf("%s: after the sweep: got cgroups %q, error %v; want %q", g, dirs, err, g.dirs(ours))
		}
	}
	in := t.TempDir()
	f, err := newFolder(in)
	if err != nil {
		t.Fatal(err)
	}
	leftover := filepath.Join(in, folderPrefix+"1-x")
	if err := os.Mkdir(leftover, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(leftover, "lock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := sweepFolders(in); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(leftover); !os.IsNotExist(err) {
		t.Errorf("the folder of an ended process still exists: %v", err)
	}
	if _, err := os.Stat(f.dir); err != nil {
		t.Errorf("the folder of a running process is gone: %v", err)
	}
	if err := f.remove(); err != nil {
		t.Error(err)
	}
}
