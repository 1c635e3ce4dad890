package fleet

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Process is a child process. All methods may be called concurrently.
type Process struct {
	name string
	cmd  *exec.Cmd
	log  log
	done chan struct{}
	err  error // of Wait; read only after done is closed
}

// EndedError means that a process has ended although it should run.
type EndedError struct {
	Name string
	Err  error
	Log  string // the end of the output
}

// Error implements error.
func (e *EndedError) Error() string { return fmt.Sprintf("%s has ended: %v\n%s", e.Name, e.Err, e.Log) }

// StartProcess starts the program at path and keeps its output in memory. The caller ends it with Stop or
// Kill. On Linux the kernel kills the child when this process dies for any reason.
func StartProcess(name, path string, args ...string) (*Process, error) {
	p := &Process{name: name, cmd: exec.Command(path, args...), done: make(chan struct{})} //nolint:noctx // Stop ends it
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.cmd.SysProcAttr = childAttributes()
	started := make(chan error)
	go p.startAndWait(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return p, nil
}

// startAndWait starts the child and waits for its end on one thread. The kernel sends the parent death
// signal when the thread that forked ends, so that thread must live as long as the child.
func (p *Process) startAndWait(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// PID returns the process id of the child.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done returns a channel that is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running reports whether the child has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Ended returns an [EndedError] if the child has ended, else nil.
func (p *Process) Ended() error {
	if p.Running() {
		return nil
	}
	err, log := p.err, p.Log()
	if err == nil {
		err = errors.New("exit status 0")
	}
	return &EndedError{Name: p.name, Err: err, Log: log[max(0, len(log)-2000):]}
}

// Log returns the output of the child so far.
func (p *Process) Log() string { return p.log.String() }

// Stop sends SIGTERM, waits for grace, and kills the child after that. The error is nil if the child ended
// within grace with exit code 0.
func (p *Process) Stop(grace time.Duration) error {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(grace):
		p.Kill()
		return fmt.Errorf("%s was killed: still running %s after SIGTERM", p.name, grace)
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w", p.name, p.err)
	}
	return nil
}

// Kill sends SIGKILL and waits until the child has ended.
func (p *Process) Kill() {
	p.signal(os.Kill)
	<-p.done
}

// ExitCode returns the exit code of a child that has ended, or -1 while it runs. If a signal ended it, the code is
// 128 plus the number of the signal, as in shells and container runtimes.
func (p *Process) ExitCode() int {
	if p.Running() {
		return -1
	}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return p.cmd.ProcessState.ExitCode()
}

// CPU returns the user and system time of the child since its start. It also works after the child has ended.
func (p *Process) CPU() (time.Duration, error) {
	used, err := p.Usage()
	if err == nil {
		return used.CPU, nil
	}
	select { // the kernel may have removed the process before Wait returns
	case <-p.done:
		return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime(), nil
	case <-time.After(time.Second):
		return 0, err
	}
}

// signal ignores the error of a child that has already ended, because the caller waits for the end anyway.
func (p *Process) signal(s os.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		_, _ = fmt.Fprintf(&p.log, "signal %v: %v\n", s, err)
	}
}

// log collects the output of the child.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
