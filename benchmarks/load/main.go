// Command load measures what a shard costs on a simulated cluster: start-up,
// memory, scrapes of an unchanged and of a churning cluster, and events. Times
// of a shared machine are noisy; compare figures of one run with each other.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// options are the flags.
type options struct {
	binary   string
	pods     int
	shards   int
	only     int
	seed     uint64
	scrapes  int
	settle   time.Duration
	churnFor time.Duration
	jobs     float64
	updates  float64
	sharding bool
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	app := kingpin.New("load", "Measures statefleet on a simulated cluster; prints JSON.")
	app.Terminate(nil)
	app.UsageWriter(stderr).ErrorWriter(stderr)
	app.Flag("binary", "The statefleet binary.").Default("bin/statefleet").StringVar(&o.binary)
	app.Flag("pods", "Number of pods in the simulated cluster; everything else is in proportion.").Default("20000").IntVar(&o.pods)
	app.Flag("shards", "Number of shards that the cluster is divided into.").Default("1").IntVar(&o.shards)
	app.Flag("only", "Number of shards to run; 0 means all.").Default("0").IntVar(&o.only)
	app.Flag("seed", "Seed of the simulated cluster.").Default("1").Uint64Var(&o.seed)
	app.Flag("scrapes", "Number of scrapes that each scrape figure is the mean of.").Default("10").IntVar(&o.scrapes)
	app.Flag("settle", "Time between the start and the steady figures; pages are packed when they were quiet for a minute.").Default("90s").DurationVar(&o.settle)
	app.Flag("churn", "Time to measure events for; 0 leaves that out.").Default("60s").DurationVar(&o.churnFor)
	app.Flag("jobs-per-second", "Jobs that are created, run and deleted each second of churn.").Default("20").Float64Var(&o.jobs)
	app.Flag("updates-per-second", "Status updates of pods each second of churn.").Default("200").Float64Var(&o.updates)
	app.Flag("server-sharding", "Let the simulated API server honour the shard selector.").BoolVar(&o.sharding)
	_, err := app.Parse(args)
	if err == nil && (o.shards < 1 || o.pods < 1 || o.scrapes < 1 || o.only > o.shards) {
		err = fmt.Errorf("--shards, --pods and --scrapes have to be above zero, --only at most --shards")
	}
	return o, err
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "load:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	result, err := measure(ctx, o, stderr)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "load:", err)
		return 1
	}
	enc := json.NewEncoder(stdout)
	enc.SetIndent("", "  ")
	if err := enc.Encode(result); err != nil {
		return 1
	}
	return 0
}

// measure runs the cluster in this process and the shards in theirs, so that
// the figures of the shards hold nothing of the cluster.
func measure(ctx context.Context, o options, progress io.Writer) (*result, error) {
	spec := simulator.Scale(o.pods)
	spec.Seed = o.seed
	cluster := simulator.New(simulator.Options{Seed: o.seed, ShardSelector: o.sharding})
	if err := cluster.Populate(spec); err != nil {
		return nil, err
	}
	server, err := cluster.Serve("")
	if err != nil {
		return nil, err
	}
	defer server.Stop()
	_, _ = fmt.Fprintf(progress, "cluster of %d objects\n", cluster.Len())

	dir, err := os.MkdirTemp("", "statefleet-load-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := cluster.WriteKubeconfig(kubeconfig); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	start := time.Now()
	f, err := fleet.Start(ctx, fleet.Options{
		Binary: o.binary, Kubeconfig: kubeconfig, Dir: dir,
		Shards: o.shards, Only: o.only,
	})
	if err != nil {
		return nil, err
	}
	defer f.Wait()
	defer cancel()
	m := &measurement{options: o, cluster: cluster, fleet: f, progress: progress, start: start}
	return m.run(ctx)
}
