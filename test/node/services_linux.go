package node

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// service is a program that runs until its machine stops, or until it is killed.
type service struct {
	program string
	args    []string
	cmd     *exec.Cmd
	ended   chan struct{} // closed when the process has ended
}

// start starts a service of a node. The service writes its output to a file in the node's folder.
func (c *Cluster) start(m *machine, name, program string, args ...string) error {
	log, err := os.OpenFile(filepath.Join(m.dir, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	cmd := exec.Command(program, args...) //nolint:noctx // it ends with the machine
	cmd.Env = append(os.Environ(), "PATH="+c.tools+":"+os.Getenv("PATH"))
	cmd.Stdout, cmd.Stderr = log, log
	if err := m.start(cmd); err != nil {
		return fmt.Errorf("starting %s on node %d: %w", name, m.number, err)
	}
	s := &service{program: program, args: args, cmd: cmd, ended: make(chan struct{})}
	m.services[name] = s
	go func() { // reaps the process, which ends with the machine
		defer close(s.ended)
		_ = cmd.Wait()
	}()
	return log.Close()
}

// kill kills a service of a node, as the kernel does when memory runs out, and returns a function that starts it again.
func (c *Cluster) kill(m *machine, name string) (restart func() error, err error) {
	s := m.services[name]
	if err := s.cmd.Process.Kill(); err != nil {
		return nil, fmt.Errorf("killing %s on node %d: %w", name, m.number, err)
	}
	<-s.ended
	return func() error { return c.start(m, name, s.program, s.args...) }, nil
}

// log returns the last 4,000 bytes of the output of a service.
func (c *Cluster) log(m *machine, name string) string {
	text, _ := os.ReadFile(filepath.Join(m.dir, name+".log"))
	return string(text[max(0, len(text)-4000):])
}
