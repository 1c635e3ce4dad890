// Package fleet runs shards of an exporter as processes on this machine, for
// the demo and for measurements, and reads what they cost and say of themselves.
package fleet

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

// Options say which shards to run.
type Options struct {
	// Command is what each shard runs.
	Command Command
	// Kubeconfig is the file by which a shard reaches the cluster.
	Kubeconfig func(shard int) string
	// Shards is the number of shards that share the cluster.
	Shards int
	// Only runs that many of them, the first ones; 0 means all.
	Only int
	// First is the first one that is run; those before it run elsewhere.
	First int
	// Port is the port of the first shard's metrics. Its telemetry and the other
	// shards' two follow. 0 takes ports that happen to be free.
	Port int
	// Dir takes the logs.
	Dir string
}

// Fleet is the running shards.
type Fleet struct {
	Shards []*Shard

	running sync.WaitGroup
	failed  chan error
}

// Start starts the shards; they end when ctx does. Call Wait afterwards.
func Start(ctx context.Context, o Options) (*Fleet, error) {
	f := &Fleet{failed: make(chan error, o.Shards)}
	ctx, cancel := context.WithCancel(ctx)
	only := o.Shards
	if o.Only > 0 {
		only = o.Only
	}
	for i := o.First; i < only; i++ {
		if err := f.start(ctx, o, i); err != nil {
			cancel()
			f.Wait()
			return nil, err
		}
	}
	f.running.Go(func() { // frees the context's resources once nothing needs it
		<-ctx.Done()
		cancel()
	})
	return f, nil
}

// Failed yields the error of a shard that has ended by itself.
func (f *Fleet) Failed() <-chan error { return f.failed }

// Wait waits until all shards have ended.
func (f *Fleet) Wait() { f.running.Wait() }

func (f *Fleet) start(ctx context.Context, o Options, i int) error {
	metrics, telemetry, err := ports(ctx, o.Port, i)
	if err != nil {
		return fmt.Errorf("port of shard %d: %w", i, err)
	}
	words, err := o.Command.at(Place{
		Kubeconfig: o.Kubeconfig(i), Port: metrics, TelemetryPort: telemetry, Shard: i, Shards: o.Shards,
	})
	if err != nil {
		return err
	}
	log := filepath.Join(o.Dir, fmt.Sprintf("shard-%d.log", i))
	file, err := os.Create(log)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = file, file
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopGrace
	// A Ctrl-C on the terminal is for the program that runs the fleet, which
	// then ends the shards in its own order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, file.Close())
	}
	f.Shards = append(f.Shards, &Shard{
		Base:      fmt.Sprintf("http://127.0.0.1:%d", metrics),
		Metrics:   fmt.Sprintf("http://127.0.0.1:%d/metrics", metrics),
		Telemetry: fmt.Sprintf("http://127.0.0.1:%d/metrics", telemetry),
		PID:       cmd.Process.Pid,
	})
	f.running.Go(func() {
		err := cmd.Wait()
		_ = file.Close()
		if ctx.Err() == nil {
			f.failed <- fmt.Errorf("shard %d has ended: %w\n%s", i, err, tail(log))
		}
	})
	return nil
}

// ports returns the two ports of a shard. That they are free now is no promise
// that they will be, but gives a clear message in most cases.
func ports(ctx context.Context, base, i int) (metrics, telemetry int, err error) {
	want := [2]int{}
	if base > 0 {
		want = [2]int{base + 2*i, base + 2*i + 1}
	}
	var got [2]int
	var listeners []net.Listener
	defer func() {
		for _, l := range listeners {
			_ = l.Close()
		}
	}()
	for j, p := range want {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
		if err != nil {
			return 0, 0, err
		}
		listeners = append(listeners, l)
		addr, _ := l.Addr().(*net.TCPAddr)
		got[j] = addr.Port
	}
	return got[0], got[1], nil
}

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
