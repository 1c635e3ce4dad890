package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	cgroupRoot   = "/sys/fs/cgroup"
	cgroupPrefix = "statefleet-node-"
)

// controllers are those that kubelet and runc use, each with a hierarchy of its own (cgroup v1).
func controllers() []string {
	return []string{"cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd"}
}

// unsupported returns why no machine can be made here, or "".
func unsupported() string {
	for _, c := range controllers() {
		if _, err := os.Stat(filepath.Join(cgroupRoot, c, "cgroup.procs")); err != nil {
			return fmt.Sprintf("cgroup v1 is needed, with its hierarchies at %s: %v", cgroupRoot, err)
		}
	}
	return ""
}

// makeCgroups makes the cgroups of a machine.
func makeCgroups(name string) error {
	for _, c := range controllers() {
		if err := os.Mkdir(filepath.Join(cgroupRoot, c, name), 0o755); err != nil {
			return err
		}
	}
	for _, f := range []string{"cpuset.cpus", "cpuset.mems"} { // empty until they are set
		all, err := os.ReadFile(filepath.Join(cgroupRoot, "cpuset", f))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(cgroupRoot, "cpuset", name, f), all, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// removeCgroups removes the cgroups of a machine that has ended.
func removeCgroups(name string) error {
	var errs []error
	for _, c := range controllers() {
		errs = append(errs, removeCgroup(filepath.Join(cgroupRoot, c, name)))
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

// sweepCgroups removes the cgroups that a killed test has left, which have no process.
func sweepCgroups() error {
	left, err := filepath.Glob(filepath.Join(cgroupRoot, "cpu", cgroupPrefix+"*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range left {
		name := filepath.Base(dir)
		owner, _, _ := strings.Cut(strings.TrimPrefix(name, cgroupPrefix), "-")
		if _, err := os.Stat("/proc/" + owner); errors.Is(err, os.ErrNotExist) {
			errs = append(errs, removeCgroups(name))
		}
	}
	return errors.Join(errs...)
}
