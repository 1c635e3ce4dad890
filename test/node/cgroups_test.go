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
)

// tree makes files in a folder, which stands in for the mounted control groups.
func tree(t *testing.T, files map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// v1Tree has every hierarchy of cgroup v1 but those that are left out.
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
		got, err := findCgroups(tree(t, c.files))
		switch {
		case c.wantErr != "" && (err == nil || !strings.Contains(err.Error(), c.wantErr)):
			t.Errorf("%s: error %v, want one about %q", name, err, c.wantErr)
		case c.wantErr == "" && (err != nil || got.String() != c.want):
			t.Errorf("%s: %s, %v; want %s", name, got, err, c.want)
		}
	}
}

// TestCgroupsOfAMachine: v1 has one in each hierarchy, with the CPUs of the machine, and v2 has one, with the controllers
// handed out.
func TestCgroupsOfAMachine(t *testing.T) {
	v1 := cgroups{root: tree(t, v1Tree())}
	if err := v1.make("m"); err != nil {
		t.Fatal(err)
	}
	for _, h := range hierarchies() {
		if _, err := os.Stat(filepath.Join(v1.root, h, "m")); err != nil {
			t.Error(err)
		}
	}
	if cpus, err := os.ReadFile(filepath.Join(v1.root, "cpuset/m/cpuset.cpus")); err != nil || string(cpus) != "0-1\n" {
		t.Errorf("CPUs %q, %v", cpus, err)
	}
	v2 := cgroups{unified: true, root: tree(t, map[string]string{"cgroup.subtree_control": "cpu memory\n"})}
	if err := v2.make("m"); err != nil {
		t.Fatal(err)
	}
	// A file keeps what was written last; the kernel adds it up.
	if said, err := os.ReadFile(filepath.Join(v2.root, "cgroup.subtree_control")); err != nil || string(said) != "+pids" {
		t.Errorf("controllers %q, %v", said, err)
	}
	if got := v2.dirs("m"); len(got) != 1 || got[0] != filepath.Join(v2.root, "m") {
		t.Errorf("folders %q", got)
	}
	if err := v2.remove("m"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(v2.root, "m")); !os.IsNotExist(err) {
		t.Errorf("the cgroup is there: %v", err)
	}
}

func TestAccountsOfAContainer(t *testing.T) {
	const pod = "/kubepods/burstable/pod1/c1"
	for _, c := range []struct {
		groups cgroups
		text   string
		want   accounts
	}{
		{
			cgroups{}, "8:pids:" + pod + "\n4:memory:" + pod + "\n2:cpu,cpuacct:" + pod + "\n0::/\n",
			accounts{
				memory: "/sys/fs/cgroup/memory" + pod + "/memory.usage_in_bytes", limit: "/sys/fs/cgroup/memory" + pod + "/memory.limit_in_bytes",
				stat: "/sys/fs/cgroup/memory" + pod + "/memory.stat", inactive: "total_inactive_file", cpu: "/sys/fs/cgroup/cpu" + pod + "/cpu.stat",
			},
		},
		{
			cgroups{unified: true}, "0::" + pod + "\n",
			accounts{
				memory: "/sys/fs/cgroup" + pod + "/memory.current", limit: "/sys/fs/cgroup" + pod + "/memory.max",
				stat: "/sys/fs/cgroup" + pod + "/memory.stat", inactive: "inactive_file", cpu: "/sys/fs/cgroup" + pod + "/cpu.stat",
			},
		},
	} {
		if got, err := c.groups.accountsOf(c.text); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.groups, got, err, c.want)
		}
		if got, err := c.groups.accountsOf("1:name=systemd:/\n"); err == nil {
			t.Errorf("%s: %+v for a process without the controllers", c.groups, got)
		}
	}
}

// TestSweepKeepsWhatAProcessUses: cgroups and folders of a process that has ended are removed, those of others are kept.
func TestSweepKeepsWhatAProcessUses(t *testing.T) {
	gone := exec.CommandContext(t.Context(), "true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	for _, g := range []cgroups{{root: tree(t, v1Tree())}, {root: t.TempDir(), unified: true}} {
		ours, theirs := cgroupPrefix+strconv.Itoa(os.Getpid())+"-1", cgroupPrefix+strconv.Itoa(gone.Process.Pid)+"-123-1"
		for _, dir := range slices.Concat(g.dirs(ours), g.dirs(theirs+"/kubepods")) {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.sweep(); err != nil {
			t.Fatal(err)
		}
		if left, err := g.left(); err != nil || !slices.Equal(left, g.dirs(ours)) {
			t.Errorf("%s: left are %q, %v", g, left, err)
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
		t.Errorf("the leftover is there: %v", err)
	}
	if _, err := os.Stat(f.dir); err != nil {
		t.Errorf("the folder that is used is gone: %v", err)
	}
	if err := f.remove(); err != nil {
		t.Error(err)
	}
}
