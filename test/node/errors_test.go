//go:build linux

package node

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// TestMain runs the tests, or the process with a machine that TestKilledProcessLeavesNothing kills.
func TestMain(m *testing.M) {
	if in := os.Getenv("STATEFLEET_TEST_MACHINE"); in != "" {
		pid, err := runMachine(in)
		fmt.Println("machine:", pid, err)
		select {}
	}
	os.Exit(m.Run())
}

// runMachine starts a machine with its files inside a folder, and returns the PID of its process 1.
func runMachine(in string) (pid int, err error) {
	c := &Cluster{}
	if c.groups, err = findCgroups(cgroupRoot); err != nil {
		return 0, err
	}
	if c.folder, err = newFolder(in); err != nil {
		return 0, err
	}
	dir := filepath.Join(c.dir, "node-1")
	if err := c.writeFiles(dir, 1); err != nil {
		return 0, err
	}
	m, err := newMachine(dir, 1, os.Getenv("STATEFLEET_TEST_PAUSE"), c.groups)
	if err != nil {
		return 0, err
	}
	return m.init.Process.Pid, nil
}

// TestWhatIsMissingIsNamed checks that errors name root, or a program, if it is missing.
func TestWhatIsMissingIsNamed(t *testing.T) {
	if why := missingRequirement(1000); !strings.Contains(why, "root") {
		t.Errorf("user 1000: got %q, want a message that names root", why)
	}
	t.Setenv("PATH", t.TempDir())
	if why := missingRequirement(0); !strings.Contains(why, "runc") {
		t.Errorf("without runc: got %q, want a message that names runc", why)
	}
	if os.Geteuid() == 0 {
		if _, err := Start(t.Context(), Options{}); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "runc") {
			t.Errorf("without runc: got error %v, want ErrUnsupported that names runc", err)
		}
	}
}

func TestFullDiskIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := checkFreeSpace(dir, 1<<60); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("got error %v, want one that names %s and TMPDIR", err, dir)
	}
	if err := checkFreeSpace(dir, 1); err != nil {
		t.Error(err)
	}
}

// TestKilledProcessLeavesNothing checks that a machine ends with the process that created it, even if that process is
// killed, and that a sweep, as in Start, removes the machine's cgroups and files.
func TestKilledProcessLeavesNothing(t *testing.T) {
	if why := missingRequirement(os.Geteuid()); why != "" {
		t.Skip("NOT TESTED: " + why)
	}
	groups, err := findCgroups(cgroupRoot)
	if err != nil {
		t.Skip("NOT TESTED: " + err.Error())
	}
	pause, err := fleet.Build("test/cmd/pause")
	if err != nil {
		t.Fatal(err)
	}
	in := t.TempDir()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), "STATEFLEET_TEST_MACHINE="+in, "STATEFLEET_TEST_PAUSE="+pause)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if killErr := child.Process.Kill(); killErr != nil {
		t.Fatal(killErr)
	}
	_ = child.Wait() // it was killed
	var pid int
	if _, scanErr := fmt.Sscanf(line, "machine: %d <nil>", &pid); err != nil || scanErr != nil {
		t.Fatalf("the child did not start a machine: output %q, %v", line, err)
	}
	ended := func() bool { // a zombie counts as ended, because its new parent may never reap it
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(stat), ") Z ")
	}
	if waitFor(10*time.Second, ended) != nil {
		t.Errorf("process 1 of the machine (PID %d) still runs after its creator was killed", pid)
	}
	prefix := cgroupPrefix + strconv.Itoa(child.Process.Pid) + "-"
	leftovers := func() (n int) {
		dirs, err := groups.machineDirs()
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range dirs {
			if strings.HasPrefix(filepath.Base(dir), prefix) {
				n++
			}
		}
		return n
	}
	if leftovers() == 0 {
		t.Error("the killed process left no cgroups, so the sweep is not tested")
	}
	if err := errors.Join(groups.sweep(), sweepFolders(in)); err != nil {
		t.Error(err)
	}
	files, err := os.ReadDir(in)
	if n := leftovers(); n > 0 || len(files) > 0 || err != nil {
		t.Errorf("after the sweep: got %d cgroups and %d folders (%v), want none", n, len(files), err)
	}
}
