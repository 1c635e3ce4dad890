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

// TestMain is the test, or the process with a machine that TestKilledProcessLeavesNothing kills.
func TestMain(m *testing.M) {
	if in := os.Getenv("STATEFLEET_TEST_MACHINE"); in != "" {
		pid, err := runMachine(in)
		fmt.Println("machine:", pid, err)
		select {}
	}
	os.Exit(m.Run())
}

// runMachine makes a machine whose files are below a folder.
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

// TestWhatIsMissingIsNamed: without root, or without a program, the error says so.
func TestWhatIsMissingIsNamed(t *testing.T) {
	if why := missing(1000); !strings.Contains(why, "root") {
		t.Errorf("another user: %q", why)
	}
	t.Setenv("PATH", t.TempDir())
	if why := missing(0); !strings.Contains(why, "runc") {
		t.Errorf("without runc: %q", why)
	}
	if os.Geteuid() == 0 {
		if _, err := Start(t.Context(), Options{}); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "runc") {
			t.Errorf("without runc: %v", err)
		}
	}
}

func TestFullDiskIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := enoughDisk(dir, 1<<60); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("%v, want an error that names %s and TMPDIR", err, dir)
	}
	if err := enoughDisk(dir, 1); err != nil {
		t.Error(err)
	}
}

// TestKilledProcessLeavesNothing: a machine ends with the process that has made it, even if that is killed, and the next
// start removes its cgroups and files.
func TestKilledProcessLeavesNothing(t *testing.T) {
	if why := missing(os.Geteuid()); why != "" {
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
	said, err := bufio.NewReader(out).ReadString('\n')
	if killErr := child.Process.Kill(); killErr != nil {
		t.Fatal(killErr)
	}
	_ = child.Wait() // it was killed
	var pid int
	if _, scanErr := fmt.Sscanf(said, "machine: %d <nil>", &pid); err != nil || scanErr != nil {
		t.Fatalf("no machine: %q, %v", said, err)
	}
	ended := func() bool { // a zombie has ended, too: its new parent may never wait for it
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(stat), ") Z ")
	}
	if waitFor(10*time.Second, ended) != nil {
		t.Errorf("process 1 of the machine, %d, still runs", pid)
	}
	mine := cgroupPrefix + strconv.Itoa(child.Process.Pid) + "-"
	leftovers := func() (n int) {
		left, err := groups.left()
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range left {
			if strings.HasPrefix(filepath.Base(dir), mine) {
				n++
			}
		}
		return n
	}
	if leftovers() == 0 {
		t.Error("it has left no cgroup: this proves nothing")
	}
	if err := errors.Join(groups.sweep(), sweepFolders(in)); err != nil {
		t.Error(err)
	}
	files, err := os.ReadDir(in)
	if n := leftovers(); n > 0 || len(files) > 0 || err != nil {
		t.Errorf("left are %d cgroups and %d folders, %v", n, len(files), err)
	}
}
