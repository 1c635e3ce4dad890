package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	cgroupRoot   = "/sys/fs/cgroup"
	cgroupPrefix = "statefleet-node-"
	// leaf is the cgroup of a machine's own processes in cgroup v2. A cgroup that enables controllers for its children
	// must not contain processes.
	leaf = "machine"
)

// cgroups describes where the host mounts its control groups, and their layout.
type cgroups struct {
	root string
	// unified is set for cgroup v2, which has one hierarchy for all controllers. With v1, controllers have their own
	// hierarchies.
	unified bool
	// hybrid is set if v2 is mounted beside v1. Kubelet and runc then use v1.
	hybrid bool
}

// hierarchies returns the hierarchies of cgroup v1 that kubelet and runc use.
func hierarchies() []string {
	return []string{"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd"}
}

// controllers returns the controllers of cgroup v2 that a kubelet needs.
func controllers() []string { return []string{"cpu", "memory", "pids"} }

// findCgroups returns the layout of the control groups at root. Its error says why a machine cannot use them.
func findCgroups(root string) (cgroups, error) {
	g := cgroups{root: root}
	if available, err := os.ReadFile(filepath.Join(root, "cgroup.controllers")); err == nil {
		g.unified = true
		if missing := without(controllers(), strings.Fields(string(available))); len(missing) > 0 {
			return g, fmt.Errorf("cgroup v2 at %s lacks the controllers %s", root, strings.Join(missing, ", "))
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

func without(all, excluded []string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return slices.Contains(excluded, s) })
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

// dirs returns the folders of the cgroups with a name, one for each hierarchy.
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

// create creates the cgroups of a machine.
func (g cgroups) create(name string) error {
	for _, dir := range g.dirs(name) {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if g.unified {
		return g.delegate()
	}
	for _, f := range []string{"cpuset.cpus", "cpuset.mems"} { // empty in a new cgroup, which admits no process then
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

// delegate enables the controllers for the cgroups below the root. They stay enabled when the cluster ends, because
// another cluster may use them.
func (g cgroups) delegate() error {
	file := filepath.Join(g.root, "cgroup.subtree_control")
	enabled, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for _, c := range without(controllers(), strings.Fields(string(enabled))) {
		err := os.WriteFile(file, []byte("+"+c), 0o644)
		if errors.Is(err, syscall.EBUSY) {
			return fmt.Errorf("%w: the root cgroup %s has processes, as in a container; move them to a cgroup below it", err, g.root)
		}
		if err != nil {
			return fmt.Errorf("enabling cgroup controller %s: %w", c, err)
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

// removeCgroup removes a cgroup and those below it. A cgroup stays busy for a moment after its last process has ended.
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
			return fmt.Errorf("removing cgroup %s: %w", dir, err)
		}
	}
}

// machineDirs returns the folders of the cgroups of all machines, including those of other processes.
func (g cgroups) machineDirs() ([]string, error) {
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

// sweep removes the cgroups of machines whose process was killed, and so did not remove them.
func (g cgroups) sweep() error {
	dirs, err := g.machineDirs()
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range dirs {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), cgroupPrefix), "-")
		if _, err := os.Stat("/proc/" + owner); errors.Is(err, os.ErrNotExist) {
			errs = append(errs, removeCgroup(dir))
		}
	}
	return errors.Join(errs...)
}

// procsPattern returns a shell pattern of the files through which a process in a machine joins the machine's cgroups.
func (g cgroups) procsPattern() string {
	if g.unified {
		return cgroupRoot + "/" + leaf + "/cgroup.procs"
	}
	return cgroupRoot + "/*/cgroup.procs"
}
