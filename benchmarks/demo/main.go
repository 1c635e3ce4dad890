// Command demo runs a fleet of statefleet shards on a simulated cluster, so
// that one can see it work without a cluster: pods and jobs come and go, every
// shard serves its part, the fleet is scaled up and down, and a summary shows
// what each shard costs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// options are the demo's flags.
type options struct {
	binary     string
	shards     int
	pods       int
	port       int
	jobsPerSec float64
	updates    float64
	seed       uint64
	every      time.Duration
	duration   time.Duration
	further    int
}

// flags returns the program's flags, and where their values come.
func flags() (*kingpin.Application, *options) {
	o := new(options)
	app := kingpin.New("demo", "Runs statefleet on a simulated cluster.")
	app.Flag("binary", "The statefleet binary.").Default("bin/statefleet").StringVar(&o.binary)
	app.Flag("shards", "Number of shards.").Default("3").IntVar(&o.shards)
	app.Flag("pods", "Number of pods in the simulated cluster; everything else is in proportion.").Default("3000").IntVar(&o.pods)
	app.Flag("port", "Port of the first shard's metrics; its telemetry and the other shards follow.").Default("18080").IntVar(&o.port)
	app.Flag("jobs-per-second", "Jobs that are created, run and deleted each second.").Default("5").Float64Var(&o.jobsPerSec)
	app.Flag("updates-per-second", "Status updates of pods each second.").Default("50").Float64Var(&o.updates)
	app.Flag("seed", "Seed of the simulated cluster.").Default("1").Uint64Var(&o.seed)
	app.Flag("every", "Time between two summaries.").Default("5s").DurationVar(&o.every)
	app.Flag("duration", "Time after which the demo ends by itself; 0 means on Ctrl-C.").Default("0").DurationVar(&o.duration)
	app.Flag("further-shards", "Shards to scale up by, and down again, after a while.").Default("2").IntVar(&o.further)
	return app, o
}

// check refuses numbers that make no fleet.
func (o *options) check(string) error {
	switch {
	case o.further < 0:
		return errors.New("--further-shards cannot be below zero")
	case o.shards < 1 || o.pods < 1 || o.every <= 0:
		return errors.New("--shards, --pods and --every have to be above zero")
	}
	return nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app, o := flags()
	return command.Program{App: app, Check: o.check, Work: func(ctx context.Context) error {
		if o.duration > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, o.duration)
			defer cancel()
		}
		return demo(ctx, *o, stdout)
	}}.Run(ctx, args, stdout, stderr)
}

func demo(ctx context.Context, o options, out io.Writer) error {
	start := time.Now()
	spec := generator.Scale(o.pods)
	spec.Seed = o.seed
	cluster := simulator.New(simulator.Options{Seed: o.seed, ShardSelector: true})
	if err := cluster.Populate(spec.Objects()); err != nil {
		return err
	}
	server, err := cluster.Serve("")
	if err != nil {
		return err
	}
	defer server.Stop()
	say(out, "Simulated cluster with %d objects at %s (%.1f s).", cluster.Len(), server.URL(), time.Since(start).Seconds())

	dir, err := os.MkdirTemp("", "statefleet-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := server.WriteKubeconfig(kubeconfig); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f, err := install(ctx, cluster, o, fleet.Options{Kubeconfig: func(int) string { return kubeconfig }, Port: o.port, Dir: dir})
	if err != nil {
		return err
	}
	defer f.wait()
	defer cancel() // before waiting: the shards end with the context

	churned := make(chan struct{})
	go func() {
		defer close(churned)
		churn := generator.Churn{JobsPerSecond: o.jobsPerSec, StatusUpdatesPerSecond: o.updates, Seed: o.seed}
		if err := churn.Run(ctx, cluster); err != nil && ctx.Err() == nil {
			say(out, "The churn has ended: %v", err)
		}
	}()
	defer func() { <-churned }()
	defer cancel()
	return watch(ctx, f, o, out, start)
}

func say(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, format+"\n", args...)
}
