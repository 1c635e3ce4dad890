// Package process builds programs of this repository and runs them as child processes that cannot outlive the test.
package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Process is a running child. All methods may be called concurrently.
type Process struct {
	name string
	cmd  *exec.Cmd
	log  log
	done chan struct{}
	err  error // how it ended; read after done is closed
}

// Start runs the program at path. Its standard output and error are kept for Log, and copied to tee unless that is nil.
// The child is killed when the test process dies, whatever the reason (on Linux), so a test that panics leaves nothing
// behind; a test that ends in order calls Kill or Stop.
func Start(name, path string, args []string, tee io.Writer) (*Process, error) {
	p := &Process{name: name, cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.log.tee = tee
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.cmd.SysProcAttr = dieWithParent()
	started := make(chan error)
	go p.own(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return p, nil
}

// own starts the child and waits for it on one thread: the kernel's "parent" in the death signal is the thread that
// forked, so that thread must live as long as the child.
func (p *Process) own(started chan<- error) {
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

// PID is the process id of the child.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running tells whether the child has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Log is everything the child has written so far.
func (p *Process) Log() string { return p.log.String() }

// Stop asks the child to end (SIGTERM), waits for grace and kills it after that. The error is nil if it ended by itself
// with exit code 0.
func (p *Process) Stop(grace time.Duration) error {
	p.signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("%s was killed: still running %s after SIGTERM", p.name, grace)
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w", p.name, p.err)
	}
	return nil
}

// Kill ends the child at once and waits until it is gone.
func (p *Process) Kill() {
	p.signal(os.Kill)
	<-p.done
}

// ExitCode is the exit code of a child that has ended, or -1 while it runs or if a signal ended it.
func (p *Process) ExitCode() int {
	if p.Running() {
		return -1
	}
	return p.cmd.ProcessState.ExitCode()
}

// signal ignores the only expected failure, a child that has ended already: the caller waits for that anyway.
func (p *Process) signal(s os.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		fmt.Fprintf(&p.log, "signal %v: %v\n", s, err)
	}
}

// log collects output from the child.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
	tee io.Writer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tee != nil {
		if _, err := l.tee.Write(b); err != nil {
			l.tee = nil
		}
	}
	return l.buf.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
