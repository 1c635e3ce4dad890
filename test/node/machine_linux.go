package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC

// machine is an empty machine: namespaces and cgroups of its own, with an address.
type machine struct {
	number  int
	dir     string // its files
	groups  cgroups
	cgroup  string // the name of its own
	address string
	init    *exec.Cmd
	calls   chan func() // for the thread that is in the machine

	services map[string]*service // by name
}

// newMachine makes a machine whose files are in a folder, which tells it from those of other clusters. pause is the
// program that becomes its process 1.
func newMachine(dir string, number int, pause string, groups cgroups) (*machine, error) {
	cluster := strings.TrimPrefix(filepath.Base(filepath.Dir(dir)), folderPrefix) // begins with the process's number
	m := &machine{
		number: number, dir: dir, calls: make(chan func()), services: map[string]*service{}, address: fmt.Sprintf("10.88.%d.1", number),
		groups: groups, cgroup: fmt.Sprintf("%s%s-%d", cgroupPrefix, cluster, number),
	}
	if err := groups.make(m.cgroup); err != nil {
		return nil, errors.Join(fmt.Errorf("cgroups of node %d: %w", number, err), groups.remove(m.cgroup))
	}
	started := make(chan error)
	onOwnThread(func() { m.thread(started, pause) })
	if err := <-started; err != nil {
		return nil, errors.Join(fmt.Errorf("node %d: %w", number, err), m.stop())
	}
	return m, nil
}

// onOwnThread starts f on a thread that ends with it: a thread in namespaces must not run other goroutines.
func onOwnThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() { // the first thread never ends, and /proc/self is about it
			onOwnThread(f)
			time.Sleep(time.Second) // while this thread is taken, the other goroutine gets another one
			runtime.UnlockOSThread()
			return
		}
		f()
	}()
}

// thread makes the machine and then runs calls inside of it until the machine is stopped: the machine ends with the
// thread that made it.
func (m *machine) thread(started chan<- error, pause string) {
	// The shell enters the cgroups, and is the root of a cgroup namespace then.
	const script = `groups=$1 dir=$2; shift
for g in $groups; do echo 0 > "$g/cgroup.procs"; done
exec unshare --cgroup bash "$dir/init.sh" "$@"`
	mounts := "unified"
	if !m.groups.unified {
		mounts = strings.Join(hierarchies(), " ")
	}
	m.init = exec.Command("bash", "-euc", script, "init", strings.Join(m.groups.dirs(m.cgroup), " "), m.dir, //nolint:noctx // stop ends it
		strconv.Itoa(m.number), m.address, mounts, pause)
	log, err := os.Create(filepath.Join(m.dir, "init.log"))
	if err != nil {
		started <- err
		return
	}
	m.init.Stdout, m.init.Stderr = log, log
	m.init.SysProcAttr = &unix.SysProcAttr{Cloneflags: namespaces, Pdeathsig: unix.SIGKILL}
	if err := m.init.Start(); err != nil {
		started <- err
		return
	}
	if err := waitFor(readyWithin, func() bool { _, err := os.Stat(filepath.Join(m.dir, "ready")); return err == nil }); err != nil {
		said, _ := os.ReadFile(log.Name())
		started <- fmt.Errorf("its process 1: %w\n%s", err, said)
		return
	}
	err = m.enter()
	started <- err
	if err != nil {
		return
	}
	for call := range m.calls {
		call()
	}
}

// enter moves this thread into the machine, and what it starts.
func (m *machine) enter() error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil { // for a mount namespace, a thread has to have its own folder
		return fmt.Errorf("unshare: %w", err)
	}
	pid, err := unix.PidfdOpen(m.init.Process.Pid, 0)
	if err != nil {
		return fmt.Errorf("pidfd_open: %w", err)
	}
	defer func() { _ = unix.Close(pid) }()
	if err := unix.Setns(pid, namespaces); err != nil { // not its cgroup namespace, see start
		return fmt.Errorf("setns: %w", err)
	}
	return nil
}

// inside runs f on the thread that is in the machine. f starts no goroutines.
func (m *machine) inside(f func()) {
	done := make(chan struct{})
	m.calls <- func() { defer close(done); f() }
	<-done
}

// start starts a program in the machine and in its cgroups. It ends with the machine at the latest.
func (m *machine) start(cmd *exec.Cmd) (err error) {
	// Cgroups first, the cgroup namespace then: with nsdelegate, as systemd mounts cgroup v2, who is in that namespace
	// cannot take a process from outside of it.
	join := `for g in ` + m.groups.joins() + `; do echo 0 > "$g"; done
exec nsenter --cgroup=/proc/1/ns/cgroup -- "$0" "$@"`
	cmd.Path, cmd.Args = "/bin/bash", append([]string{"bash", "-ec", join, cmd.Path}, cmd.Args[1:]...)
	m.inside(func() { err = cmd.Start() })
	return err
}

// run runs a program in the machine and returns its output.
func (m *machine) run(ctx context.Context, name string, args ...string) (string, error) {
	file, err := os.CreateTemp(m.dir, "out")
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close(); _ = os.Remove(file.Name()) }()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = file, file // a pipe would need goroutines, which start on other threads
	if err := m.start(cmd); err != nil {
		return "", err
	}
	err = cmd.Wait()
	out, readErr := os.ReadFile(file.Name())
	if err = errors.Join(err, readErr); err != nil {
		return "", fmt.Errorf("%s on node %d: %w\n%s", filepath.Base(name), m.number, err, out)
	}
	return string(out), nil
}

// dial connects from inside the machine. The address must be a literal. Each call has a thread of its own, since one
// that waits for a pod that is gone must not keep the others waiting.
func (m *machine) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	done := make(chan struct{})
	onOwnThread(func() {
		defer close(done)
		if err = m.enter(); err == nil {
			conn, err = (&net.Dialer{FallbackDelay: -1}).DialContext(ctx, network, address)
		}
	})
	<-done
	return conn, err
}

// stop ends all that is in the machine.
func (m *machine) stop() error {
	close(m.calls)
	if m.init != nil && m.init.Process != nil {
		_ = m.init.Process.Kill()
		_ = m.init.Wait() // the error is that it was killed
	}
	return m.groups.remove(m.cgroup)
}

// waitFor waits until a condition holds.
func waitFor(within time.Duration, condition func() bool) error {
	for deadline := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		if condition() {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %s", within)
		}
	}
}
