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

// machine is an empty machine on the host: it has its own namespaces, cgroups and address.
type machine struct {
	number  int
	dir     string // its files
	groups  cgroups
	cgroup  string // name of its cgroups
	address string
	init    *exec.Cmd
	calls   chan func() // run by the thread that is inside the machine

	services map[string]*service // by name
}

// newMachine creates a machine whose files are in dir, inside the folder of its cluster. That folder's name is part of
// the names of its cgroups. pause is the program that becomes its process 1.
func newMachine(dir string, number int, pause string, groups cgroups) (*machine, error) {
	cluster := strings.TrimPrefix(filepath.Base(filepath.Dir(dir)), folderPrefix) // begins with the PID of this process
	m := &machine{
		number: number, dir: dir, calls: make(chan func()), services: map[string]*service{}, address: fmt.Sprintf("10.88.%d.1", number),
		groups: groups, cgroup: fmt.Sprintf("%s%s-%d", cgroupPrefix, cluster, number),
	}
	if err := groups.create(m.cgroup); err != nil {
		return nil, errors.Join(fmt.Errorf("creating the cgroups of node %d: %w", number, err), groups.remove(m.cgroup))
	}
	started := make(chan error)
	onOwnThread(func() { m.thread(started, pause) })
	if err := <-started; err != nil {
		return nil, errors.Join(fmt.Errorf("creating node %d: %w", number, err), m.stop())
	}
	return m, nil
}

// onOwnThread runs f in the background, on a thread that ends with f: a thread that has entered other namespaces must
// not run other goroutines.
func onOwnThread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() { // the main thread never ends, and /proc/self describes it
			onOwnThread(f)
			time.Sleep(time.Second) // the main thread is occupied meanwhile, so the new goroutine gets another one
			runtime.UnlockOSThread()
			return
		}
		f()
	}()
}

// thread creates the machine, and then runs calls inside it until the machine is stopped. The machine ends with the
// thread that created it.
func (m *machine) thread(started chan<- error, pause string) {
	// The shell joins the cgroups first, so that they become the root of its cgroup namespace.
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
	if err := waitFor(readyTimeout, func() bool { _, err := os.Stat(filepath.Join(m.dir, "ready")); return err == nil }); err != nil {
		output, _ := os.ReadFile(log.Name())
		started <- fmt.Errorf("waiting for process 1: %w\n%s", err, output)
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

// enter moves the current thread into the machine. The processes that it starts are inside as well.
func (m *machine) enter() error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil { // setns needs a thread with a working directory of its own
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

// inside runs f on the thread that is inside the machine. f must not start goroutines, which would run on other
// threads.
func (m *machine) inside(f func()) {
	done := make(chan struct{})
	m.calls <- func() { defer close(done); f() }
	<-done
}

// start starts a program in the machine and in its cgroups. The program ends with the machine at the latest.
func (m *machine) start(cmd *exec.Cmd) (err error) {
	// The shell joins the cgroups before the cgroup namespace. systemd mounts cgroup v2 with nsdelegate, and then a
	// process inside the namespace cannot move a process there from outside.
	join := `for g in ` + m.groups.procsPattern() + `; do echo 0 > "$g"; done
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

// dial connects from inside the machine. The host in address must be an IP address. Each call has its own thread, so
// that a call that waits for an absent pod does not block others.
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

// stop ends all processes in the machine, and removes its cgroups.
func (m *machine) stop() error {
	close(m.calls)
	if m.init != nil && m.init.Process != nil {
		_ = m.init.Process.Kill()
		_ = m.init.Wait() // returns an error because it was killed
	}
	return m.groups.remove(m.cgroup)
}

// waitFor waits until a condition holds. It returns an error if that takes longer than timeout.
func waitFor(timeout time.Duration, condition func() bool) error {
	for deadline := time.Now().Add(timeout); ; time.Sleep(10 * time.Millisecond) {
		if condition() {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("timed out after %s", timeout)
		}
	}
}
