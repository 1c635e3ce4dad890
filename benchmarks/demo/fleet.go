package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// stopGrace is the time a shard gets to end before it is killed.
const stopGrace = 10 * time.Second

// fleet is the shards as processes.
type fleet struct {
	shards  []*shardProcess
	running sync.WaitGroup
	failed  chan error
}

// shardProcess is one shard.
type shardProcess struct {
	metrics, telemetry string // URLs
}

// startFleet starts the shards; they end when ctx does.
func startFleet(ctx context.Context, o options, kubeconfig, dir string) (*fleet, error) {
	f := &fleet{failed: make(chan error, o.shards)}
	for i := range o.shards {
		port := o.port + 2*i
		for _, p := range []int{port, port + 1} {
			if err := free(ctx, p); err != nil {
				return nil, fmt.Errorf("--port: %w", err)
			}
		}
		log := filepath.Join(dir, fmt.Sprintf("shard-%d.log", i))
		if err := f.start(ctx, o, i, port, kubeconfig, log); err != nil {
			return nil, err
		}
		f.shards = append(f.shards, &shardProcess{
			metrics:   fmt.Sprintf("http://127.0.0.1:%d", port),
			telemetry: fmt.Sprintf("http://127.0.0.1:%d", port+1),
		})
	}
	return f, nil
}

func free(ctx context.Context, port int) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return l.Close()
}

func (f *fleet) start(ctx context.Context, o options, i, port int, kubeconfig, log string) error {
	file, err := os.Create(log)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, o.binary,
		"--kubeconfig="+kubeconfig, "--host=127.0.0.1", "--telemetry-host=127.0.0.1",
		fmt.Sprintf("--port=%d", port), fmt.Sprintf("--telemetry-port=%d", port+1),
		fmt.Sprintf("--shard=%d", i), fmt.Sprintf("--total-shards=%d", o.shards))
	cmd.Stdout, cmd.Stderr = file, file
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopGrace
	// A Ctrl-C on the terminal goes to the demo alone, which then ends the
	// shards itself.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("--binary: %w", err), file.Close())
	}
	f.running.Go(func() {
		err := cmd.Wait()
		_ = file.Close()
		if ctx.Err() == nil {
			f.failed <- fmt.Errorf("shard %d has ended: %v\n%s", i, err, tail(log))
		}
	})
	return nil
}

// wait waits until all shards have ended.
func (f *fleet) wait() { f.running.Wait() }

// tail returns the last lines of a log.
func tail(path string) []byte {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	const most = 2000
	if len(b) > most {
		b = b[len(b)-most:]
		b = b[bytes.IndexByte(b, '\n')+1:]
	}
	return b
}
