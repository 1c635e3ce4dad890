package node

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	cgroupRoot   = "/sys/fs/cgroup"
	cgroupPrefix = "statefleet-node-"
	// leaf is the cgroup of a machine's own processes in cgroup v2: one that hands out controllers has none itself.
	leaf = "machine"
)

// cgroups is where this machine has its control groups, and how they are laid out.
type cgroups struct {
	root string
	// unified is cgroup v2, with one hierarchy for all controllers. Otherwise each has its own (v1).
	unified bool
	// hybrid tells that v2 is mounted beside v1. Kubelet and runc then use v1.
	hybrid bool
}

// hierarchies are those of cgroup v1 that kubelet and runc use.
func hierarchies() []string {
	return []string{"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd"}
}

// controllers are those of cgroup v2 that a kubelet needs.
func controllers() []string { return []string{"cpu", "memory", "pids"} }

// findCgroups tells which control groups are mounted at root. The error says why no machine can be made with them.
func findCgroups(root string) (cgroups, error) {
	g := cgroups{root: root}
	if has, err := os.ReadFile(filepath.Join(root, "cgroup.controllers")); err == nil {
		g.unified = true
		if lacks := without(controllers(), strings.Fields(string(has))); len(lacks) > 0 {
			return g, fmt.Errorf("cgroup v2 at %s lacks the controllers %s", root, strings.Join(lacks, ", "))
		}
		return g, nil
	}
	for _, h := range hierarchies() {
		if _, err := os.Stat(filepath.Join(root, h, "cgroup.procs")); err != nil {
			return g, fmt.Errorf("want cgroup v2 at %s, or all hierarchies of cgroup v1 below it: %w", root, err)
		}
	}
	_, err := os.Stat(filepath.Join(root, "unified", "cgroup.controllers"))
	g.hybrid = err == nil
	return g, nil
}

func without(all, those []string) []string {
	return slices.DeleteFunc(all, func(one string) bool { return slices.Contains(those, one) })
}

func (g cgroups) String() string {
	switch {
	case g.unified:
		return "cgroup v2"
	case g.hybrid:
		return "cgroup v1 (hybrid)"
	}
	return "cgroup v1"
}

// dirs are the folders of the cgroups of a name.
func (g cgroups) dirs(name string) []string {
	if g.unified {
		return []string{filepath.Join(g.root, name)}
	}
	var dirs []string
	for _, h := range hierarchies() {
		dirs = append(dirs, filepath.Join(g.root, h, name))
	}
	return dirs
}

// make makes the cgroups of a machine.
func (g cgroups) make(name string) error {
	for _, dir := range g.dirs(name) {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if g.unified {
		return g.delegate()
	}
	for _, f := range []string{"cpuset.cpus", "cpuset.mems"} { // empty until they are set
		all, err := os.ReadFile(filepath.Join(g.root, "cpuset", f))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(g.root, "cpuset", name, f), all, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// delegate hands the controllers to the cgroups below the root. Those that were not handed out before stay so: another
// cluster may use them.
func (g cgroups) delegate() error {
	file := filepath.Join(g.root, "cgroup.subtree_control")
	given, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for _, c := range without(controllers(), strings.Fields(string(given))) {
		err := os.WriteFile(file, []byte("+"+c), 0o644)
		if errors.Is(err, syscall.EBUSY) {
			return fmt.Errorf("%w: processes are in %s itself, as in a container; move them to a cgroup below it", err, g.root)
		}
		if err != nil {
			return fmt.Errorf("+%s: %w", c, err)
		}
	}
	return nil
}

// remove removes the cgroups of a machine that has ended.
func (g cgroups) remove(name string) error {
	var errs []error
	for _, dir := range g.dirs(name) {
		errs = append(errs, removeCgroup(dir))
	}
	return errors.Join(errs...)
}

// removeCgroup removes a cgroup and those below it. They are busy for a moment after their last process.
func removeCgroup(dir string) error {
	below, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, d := range below {
		if d.IsDir() {
			if err := removeCgroup(filepath.Join(dir, d.Name())); err != nil {
				return err
			}
		}
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := syscall.Rmdir(dir)
		if err == nil || errors.Is(err, syscall.ENOENT) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("remove cgroup %s: %w", dir, err)
		}
	}
}

// left are the folders of all machines' cgroups, also of those that another process runs.
func (g cgroups) left() ([]string, error) {
	var all []string
	for _, pattern := range g.dirs(cgroupPrefix + "*") {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		all = append(all, dirs...)
	}
	return all, nil
}

// sweep removes the cgroups that a killed process has left, which have no process.
func (g cgroups) sweep() error {
	left, err := g.left()
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range left {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), cgroupPrefix), "-")
		if _, err := os.Stat("/proc/" + owner); errors.Is(err, os.ErrNotExist) {
			errs = append(errs, removeCgroup(dir))
		}
	}
	return errors.Join(errs...)
}

// joins are patterns of the files through which a process in a machine joins the machine's cgroups.
func (g cgroups) joins() string {
	if g.unified {
		return cgroupRoot + "/" + leaf + "/cgroup.procs"
	}
	return cgroupRoot + "/*/cgroup.procs"
}

// accounts are files in which the kernel counts what a container has used, and the names of what is read in them.
type accounts struct {
	memory, limit  string // in bytes
	stat, inactive string
	cpu            string
}

// accountsOf finds the files for a process in a machine, given its /proc/PID/cgroup.
func (g cgroups) accountsOf(procCgroup string) (accounts, error) {
	paths := map[string]string{} // by controller; that of v2 has no name
	for line := range strings.Lines(procCgroup) {
		if part := strings.SplitN(strings.TrimSpace(line), ":", 3); len(part) == 3 {
			for name := range strings.SplitSeq(part[1], ",") {
				paths[name] = part[2]
			}
		}
	}
	if g.unified {
		dir, ok := paths[""]
		if !ok {
			return accounts{}, fmt.Errorf("no cgroup v2 in %q", procCgroup)
		}
		in := func(file string) string { return path.Join(cgroupRoot, dir, file) }
		return accounts{
			memory: in("memory.current"), limit: in("memory.max"), stat: in("memory.stat"), inactive: "inactive_file",
			cpu: in("cpu.stat"),
		}, nil
	}
	memory, ok := paths["memory"]
	cpu, ok2 := paths["cpu"]
	if !ok || !ok2 {
		return accounts{}, fmt.Errorf("no memory or no cpu in %q", procCgroup)
	}
	in := func(file string) string { return path.Join(cgroupRoot, "memory", memory, file) }
	return accounts{
		memory: in("memory.usage_in_bytes"), limit: in("memory.limit_in_bytes"), stat: in("memory.stat"),
		inactive: "total_inactive_file", cpu: path.Join(cgroupRoot, "cpu", cpu, "cpu.stat"),
	}, nil
}
