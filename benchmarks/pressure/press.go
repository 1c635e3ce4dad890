package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

const mebi = 1 << 20

// patience is how long anything may take.
const patience = 3 * time.Minute

// pressure is the state of a run.
type pressure struct {
	options
	out     io.Writer
	dir     string
	cluster *simulator.Cluster
	url     string
	group   controlGroup
}

// press goes through the parts.
func press(ctx context.Context, o options, out io.Writer, parts ...part) error {
	p := &pressure{options: o, out: out, cluster: simulator.New(simulator.Options{Seed: o.seed})}
	spec := generator.Scale(o.pods)
	spec.Seed = o.seed
	if err := p.cluster.Populate(spec.Objects()); err != nil {
		return err
	}
	var err error
	if p.dir, err = os.MkdirTemp("", "statefleet-pressure-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(p.dir) }()
	stop, err := p.serve(ctx)
	if err != nil {
		return err
	}
	defer stop()
	p.say("%d objects; limit: control group of %.1f times the memory that is needed at rest, and at least %d MiB more than that.", p.cluster.Len(), o.factor, o.room)
	p.say("%-16s %9s %9s", "", "limit", "peak")
	for _, part := range parts {
		if err := p.part(ctx, part.run); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// part is something to go through, in a group with a peak of its own.
type part struct {
	name string
	run  func(*pressure, context.Context) error
}

func (p *pressure) part(ctx context.Context, run func(*pressure, context.Context) error) (err error) {
	if p.group, err = newGroup(); err != nil {
		return err
	}
	defer p.group.close()
	return run(p, ctx)
}

func (p *pressure) say(format string, args ...any) { _, _ = fmt.Fprintf(p.out, format+"\n", args...) }

// serve starts the API, with a custom resource that the simulator does not know.
func (p *pressure) serve(ctx context.Context) (stop func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.url = "http://" + listener.Addr().String()
	server := &http.Server{Handler: withWidgets(p.cluster.Handler()), ReadHeaderTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	return func() {
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			p.say("The API has ended: %v", err)
		}
	}, nil
}

// replica is a running process.
type replica struct {
	*fleet.Shard
	*pressure
	limit int64
	fleet *fleet.Fleet
	stop  func()
}

// start runs a process with a limit, or without one when it is 0, until it is ready.
func (p *pressure) start(ctx context.Context, limit int64, further ...string) (*replica, error) {
	var words []string
	if limit > 0 {
		var err error
		if words, err = p.group.words(limit); err != nil {
			return nil, err
		}
	}
	words = append(words, p.binary, "--apiserver="+p.url, "--host=127.0.0.1", "--telemetry-host=127.0.0.1", "--port={{.Port}}", "--telemetry-port={{.TelemetryPort}}")
	ctx, cancel := context.WithCancel(ctx)
	f, err := fleet.Start(ctx, fleet.Options{
		Command: append(words, further...), Kubeconfig: func(int) string { return "" }, Shards: 1, Dir: p.dir,
	})
	if err != nil {
		cancel()
		return nil, err
	}
	r := &replica{Shard: f.Shards[0], pressure: p, limit: limit, fleet: f, stop: func() { cancel(); f.Wait() }}
	if err := r.until(ctx, "ready", func() bool { return r.Answers(ctx, "/readyz") }); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

// begin starts a replica with a limit that follows from what it needs at rest. It returns the lines of its page, too.
func (p *pressure) begin(ctx context.Context, flags ...string) (r *replica, lines map[string]int, err error) {
	limit, err := p.steady(ctx, flags...)
	if err != nil {
		return nil, nil, err
	}
	if r, err = p.start(ctx, limit, flags...); err != nil {
		return nil, nil, err
	}
	if err = r.settle(ctx); err == nil {
		lines = map[string]int{}
		_, err = r.page(ctx, "identity", lines)
	}
	if err != nil {
		r.stop()
		return nil, nil, err
	}
	return r, lines, nil
}

// until waits for something, and for no process that has died.
func (r *replica) until(ctx context.Context, what string, done func() bool) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !done(); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-r.fleet.Failed():
			return err
		case <-tick.C:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not %s after %s", what, patience)
		}
	}
	return nil
}

// settle waits until the number of objects has not changed for two seconds.
func (r *replica) settle(ctx context.Context) error {
	last, quiet := -1.0, 0
	return r.until(ctx, "at rest", func() bool {
		self, err := r.Self(ctx)
		if err != nil {
			return false
		}
		events := self.Sum("statefleet_objects") + self.Sum("statefleet_objects_processed_total")
		if quiet++; events != last {
			last, quiet = events, 0
		}
		return quiet >= 20
	})
}

// row prints how a part went, if the process lives: the kernel would have ended one
// that wants more than its limit.
func (r *replica) row(name, result string, args ...any) error {
	select {
	case err := <-r.fleet.Failed():
		return err
	default:
	}
	r.say("%-16s %5.0f MiB %5.0f MiB  %s", name, float64(r.limit)/mebi, float64(r.group.peak())/mebi, fmt.Sprintf(result, args...))
	return nil
}

// steady measures what a process needs at rest, and returns the limit that follows.
func (p *pressure) steady(ctx context.Context, further ...string) (int64, error) {
	r, err := p.start(ctx, 0, further...)
	if err != nil {
		return 0, err
	}
	defer r.stop()
	if err := r.settle(ctx); err != nil {
		return 0, err
	}
	u, err := r.Usage()
	return max(int64(p.factor*float64(u.Anonymous)), u.Anonymous+p.room*mebi), err
}

func (p *pressure) file(name, text string) (string, error) {
	path := filepath.Join(p.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}
