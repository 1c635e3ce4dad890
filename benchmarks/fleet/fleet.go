// Package fleet runs exporters as processes on this machine, for the end-to-end tests, the demo and
// the measurements. It scrapes them and reads their CPU and memory.
package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

const (
	// Loopback is the address that all processes of this package listen on.
	Loopback = "127.0.0.1"

	// DefaultTimeout is the default timeout for anything that should take a few seconds. It is long because the
	// machine may be busy.
	DefaultTimeout = 2 * time.Minute

	// stopGrace is the default of Options.Grace.
	stopGrace = 10 * time.Second
)

// Options configure a fleet.
type Options struct {
	// Command is the command line of each replica.
	Command Command
	// Kubeconfig returns the path of the kubeconfig of a shard; nil if Command does not use one.
	Kubeconfig func(shard int) string
	// Shards is the number of shards that the cluster is divided into.
	Shards int
	// Only is the number of shards to run, from the first on; 0 means all.
	Only int
	// Port is the main port of the first shard. Its telemetry port and the two ports of each other shard
	// follow. 0 means free ports.
	Port int
	// Grace is the time between SIGTERM and SIGKILL; 0 means 10 s.
	Grace time.Duration
}

// Fleet is a set of running replicas. Only one goroutine may call its methods.
type Fleet struct {
	Replicas []*Replica

	options Options
	leaving sync.WaitGroup
}

// Start starts a fleet. It does not wait until the replicas are ready. The caller stops the fleet.
func Start(o Options) (*Fleet, error) {
	o.Grace = cmp.Or(o.Grace, stopGrace)
	f := &Fleet{options: o}
	return f, f.Resize(cmp.Or(o.Only, o.Shards))
}

// StartOne starts a single process, which uses neither kubeconfig nor shards.
func StartOne(command Command) (*Fleet, error) { return Start(Options{Command: command, Shards: 1}) }

// Resize changes the number of replicas to n. It starts replicas, or sends SIGTERM to the last ones without waiting
// for their end. If a replica cannot be started, it stops the whole fleet.
func (f *Fleet) Resize(n int) error {
	f.options.Shards = max(f.options.Shards, n)
	for i := len(f.Replicas); i < n; i++ {
		r, err := f.launch(i)
		if err != nil {
			f.Stop()
			return err
		}
		f.Replicas = append(f.Replicas, r)
	}
	for _, r := range f.Replicas[n:] {
		f.leaving.Go(func() {
			_ = r.Stop(f.options.Grace) // after an error it has ended, too
			r.Client.CloseIdleConnections()
		})
	}
	f.Replicas = f.Replicas[:n]
	return nil
}

// Replace stops replica i, calls between, and starts a new replica i.
func (f *Fleet) Replace(i int, between func() error) error {
	old := f.Replicas[i]
	if err := old.Stop(f.options.Grace); err != nil {
		return err
	}
	old.Client.CloseIdleConnections()
	err := between()
	if err != nil {
		return err
	}
	f.Replicas[i], err = f.launch(i)
	return err
}

// Run sets the command line of replicas that are started from now on.
func (f *Fleet) Run(command Command) { f.options.Command = command }

// Stop stops all replicas and waits until they have ended.
func (f *Fleet) Stop() {
	_ = f.Resize(0) // fails only if it starts replicas
	f.WaitLeft()
}

// WaitLeft waits until the replicas that Resize has removed have ended. Their ports are free then.
func (f *Fleet) WaitLeft() { f.leaving.Wait() }

// Ended returns an [EndedError] if a replica has ended by itself, else nil.
func (f *Fleet) Ended() error {
	for _, r := range f.Replicas {
		if err := r.Ended(); err != nil {
			return err
		}
	}
	return nil
}

// Until calls try as the function [Until] does, and returns an [EndedError] once a replica has ended by itself.
func (f *Fleet) Until(ctx context.Context, timeout time.Duration, what string, try func(context.Context) error) error {
	return Until(ctx, timeout, what, func(ctx context.Context) error {
		if err := f.Ended(); err != nil {
			return err
		}
		return try(ctx)
	})
}

// WaitReady waits until /readyz of all replicas returns 200.
func (f *Fleet) WaitReady(ctx context.Context, timeout time.Duration) error {
	return f.Until(ctx, timeout, "ready", func(ctx context.Context) error {
		for _, r := range f.Replicas {
			if err := r.Ask(ctx, "/readyz"); err != nil {
				return err
			}
		}
		return nil
	})
}

// SaveLogs writes the logs of all replicas to a new folder and returns its path.
func (f *Fleet) SaveLogs() (string, error) {
	dir, err := os.MkdirTemp("", "statefleet-logs-")
	for _, r := range f.Replicas {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, r.name+".log"), []byte(r.Log()), 0o600))
	}
	return dir, err
}

// launch starts replica i.
func (f *Fleet) launch(i int) (*Replica, error) {
	name := fmt.Sprintf("shard-%d", i)
	port, release, err := f.ports(i)
	defer release()
	if err != nil {
		return nil, fmt.Errorf("ports of %s: %w", name, err)
	}
	at := Place{Port: port[0], TelemetryPort: port[1], Shard: i, Shards: f.options.Shards}
	if f.options.Kubeconfig != nil {
		at.Kubeconfig = f.options.Kubeconfig(i)
	}
	args, err := f.options.Command.expand(at)
	if err != nil {
		return nil, err
	}
	return Launch(name, args[0], Address(port[0]), Address(port[1]), args[1:])
}

// ports returns the two ports of a shard. It checks that fixed ports are free, for a clear error message if they are
// not.
func (f *Fleet) ports(i int) ([]int, func(), error) {
	if f.options.Port == 0 {
		return ReservePorts(Loopback, 2)
	}
	fixed := []int{f.options.Port + 2*i, f.options.Port + 2*i + 1}
	for _, port := range fixed {
		l, err := net.Listen("tcp", net.JoinHostPort(Loopback, strconv.Itoa(port))) //nolint:noctx // does not block
		if err != nil {
			return nil, func() {}, err
		}
		_ = l.Close()
	}
	return fixed, func() {}, nil
}

// Address returns the URL of a port of the loopback address.
func Address(port int) string { return "http://" + net.JoinHostPort(Loopback, strconv.Itoa(port)) }
