// Package fleet runs exporters as processes on this machine, for the end-to-end tests, the demo and
// the measurements, and reads what they serve and what they cost.
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
	// Loopback is the address that everything here listens on.
	Loopback = "127.0.0.1"

	// Patience is how long to wait for something that takes a moment: far more than it should take,
	// because the machine may be busy.
	Patience = 2 * time.Minute

	// stopGrace is the time a replica gets to end before it is killed, unless Options have another.
	stopGrace = 10 * time.Second
)

// Options describe a fleet.
type Options struct {
	// Command is what each replica runs.
	Command Command
	// Kubeconfig is the file by which a shard reaches the cluster; nil if Command does not need one.
	Kubeconfig func(shard int) string
	// Shards is the number of shards that the cluster is divided into.
	Shards int
	// Only runs that many of them, the first ones; 0 means all.
	Only int
	// Port is the port of the first shard's metrics. Its telemetry and the other shards' two follow.
	// 0 takes free ones.
	Port int
	// Grace is the time a replica gets to end before it is killed; 10 s if it is 0.
	Grace time.Duration
}

// Fleet is running replicas. Its methods are for one goroutine.
type Fleet struct {
	Replicas []*Replica

	options Options
	leaving sync.WaitGroup
}

// Start starts a fleet. The caller stops it.
func Start(o Options) (*Fleet, error) {
	o.Grace = cmp.Or(o.Grace, stopGrace)
	f := &Fleet{options: o}
	n := o.Shards
	if o.Only > 0 {
		n = o.Only
	}
	return f, f.Resize(n)
}

// StartOne starts a single process, which uses neither kubeconfig nor shards.
func StartOne(command Command) (*Fleet, error) { return Start(Options{Command: command, Shards: 1}) }

// Resize starts replicas, or asks the last ones to end and does not wait for them.
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
			_ = r.Stop(f.options.Grace) // one that fails to has been killed
			r.Client.CloseIdleConnections()
		})
	}
	f.Replicas = f.Replicas[:n]
	return nil
}

// Replace ends replica i, calls between, and starts another one in its place.
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

// Run sets what replicas run that start from now on.
func (f *Fleet) Run(command Command) { f.options.Command = command }

// Stop ends all replicas and waits until they have ended.
func (f *Fleet) Stop() {
	_ = f.Resize(0) // starts nothing
	f.WaitLeft()
}

// WaitLeft waits until those have ended that Resize has asked to. Their ports are free then.
func (f *Fleet) WaitLeft() { f.leaving.Wait() }

// Ended is an [EndedError] if a replica has ended by itself.
func (f *Fleet) Ended() error {
	for _, r := range f.Replicas {
		if err := r.Ended(); err != nil {
			return err
		}
	}
	return nil
}

// Until calls try until it returns nil, no longer than patience, and only as long as all replicas run.
func (f *Fleet) Until(ctx context.Context, patience time.Duration, what string, try func(context.Context) error) error {
	return Until(ctx, patience, what, func(ctx context.Context) error {
		if err := f.Ended(); err != nil {
			return err
		}
		return try(ctx)
	})
}

// WaitReady waits until all replicas answer 200 on /readyz.
func (f *Fleet) WaitReady(ctx context.Context, patience time.Duration) error {
	return f.Until(ctx, patience, "ready", func(ctx context.Context) error {
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
	words, err := f.options.Command.at(at)
	if err != nil {
		return nil, err
	}
	return Launch(name, words[0], Address(port[0]), Address(port[1]), words[1:])
}

// ports returns the two ports of a shard. Fixed ones are tried now, for a clear message if they are taken.
func (f *Fleet) ports(i int) ([]int, func(), error) {
	if f.options.Port == 0 {
		return ReservePorts(Loopback, 2)
	}
	fixed := []int{f.options.Port + 2*i, f.options.Port + 2*i + 1}
	for _, port := range fixed {
		l, err := net.Listen("tcp", net.JoinHostPort(Loopback, strconv.Itoa(port))) //nolint:noctx // it does not wait
		if err != nil {
			return nil, func() {}, err
		}
		_ = l.Close()
	}
	return fixed, func() {}, nil
}

func listen() (net.Listener, error) {
	return net.Listen("tcp", net.JoinHostPort(Loopback, "0")) //nolint:noctx // it does not wait
}

// Address is the URL of a port of loopback.
func Address(port int) string { return "http://" + net.JoinHostPort(Loopback, strconv.Itoa(port)) }
