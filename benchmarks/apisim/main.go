// Command apisim serves a simulated Kubernetes API with a generated cluster
// behind it: something to point an exporter at without a cluster.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// config is what the flags say.
type config struct {
	listen, kubeconfig string
	pods, jobs, nodes  int
	seed               uint64
	watchList          bool
	spec               generator.Spec
	churn              generator.Churn
	options            simulator.Options
}

// run serves until ctx ends or a signal asks to stop.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app, c := flags()
	return command.Program{App: app, Check: c.check, Work: func(ctx context.Context) error {
		return serve(ctx, *c, stdout)
	}}.Run(ctx, args, stdout, stderr)
}

// flags returns the program's flags, and where their values come.
func flags() (*kingpin.Application, *config) {
	c := new(config)
	app := kingpin.New("apisim", "Serve a simulated Kubernetes API with a generated cluster.")
	app.Flag("listen", "Address to serve on.").Default("127.0.0.1:6443").StringVar(&c.listen)
	app.Flag("kubeconfig", "Write a kubeconfig for the simulated API to this file.").StringVar(&c.kubeconfig)
	app.Flag("pods", "Pods of workloads; everything else is in proportion, 57,000 objects for 20,000 pods.").Default("1000").IntVar(&c.pods)
	app.Flag("jobs", "Jobs, each with one pod more. -1: a tenth of the pods.").Default("-1").IntVar(&c.jobs)
	app.Flag("nodes", "Nodes. -1: one for 40 pods.").Default("-1").IntVar(&c.nodes)
	app.Flag("seed", "Seed of names, uids and states.").Default("0").Uint64Var(&c.seed)
	app.Flag("churn-jobs", "Jobs a second that are created, run and deleted.").Default("0").Float64Var(&c.churn.JobsPerSecond)
	app.Flag("churn-updates", "Status updates of pods a second.").Default("0").Float64Var(&c.churn.StatusUpdatesPerSecond)
	app.Flag("churn-heartbeats", "Node leases a second that are renewed. A tenth of the nodes is real.").Default("0").Float64Var(&c.churn.HeartbeatsPerSecond)
	app.Flag("churn-job-runs", "How long such a job runs.").Default("5s").DurationVar(&c.churn.JobRuns)
	app.Flag("churn-job-stays", "How long such a job stays when it has ended.").Default("10s").DurationVar(&c.churn.JobStays)
	app.Flag("shard-selector", "Honour shardSelector, as a server with the gate ShardedListAndWatch does.").BoolVar(&c.options.ShardSelector)
	app.Flag("watch-list", "Stream initial states over watches.").Default("true").BoolVar(&c.watchList)
	app.Flag("tls", "Serve HTTPS with a certificate made at start; the kubeconfig has it.").BoolVar(&c.options.TLS)
	app.Flag("bookmark-interval", "Time between two bookmarks of a watch.").Default("1m").DurationVar(&c.options.BookmarkInterval)
	app.Flag("log-events", "Events kept for each resource; older watches get 410 Gone.").Default("16384").IntVar(&c.options.LogEvents)

	return app, c
}

// check refuses what the simulator would silently replace by a default.
func (c *config) check(string) error {
	switch {
	case c.pods < 0:
		return fmt.Errorf("--pods=%d: must not be negative", c.pods)
	case c.churn.JobsPerSecond < 0:
		return fmt.Errorf("--churn-jobs=%g: must not be negative", c.churn.JobsPerSecond)
	case c.churn.StatusUpdatesPerSecond < 0:
		return fmt.Errorf("--churn-updates=%g: must not be negative", c.churn.StatusUpdatesPerSecond)
	case c.churn.HeartbeatsPerSecond < 0:
		return fmt.Errorf("--churn-heartbeats=%g: must not be negative", c.churn.HeartbeatsPerSecond)
	case c.churn.JobRuns <= 0:
		return fmt.Errorf("--churn-job-runs=%s: must be positive", c.churn.JobRuns)
	case c.churn.JobStays <= 0:
		return fmt.Errorf("--churn-job-stays=%s: must be positive", c.churn.JobStays)
	case c.options.BookmarkInterval <= 0:
		return fmt.Errorf("--bookmark-interval=%s: must be positive", c.options.BookmarkInterval)
	case c.options.LogEvents <= 0:
		return fmt.Errorf("--log-events=%d: must be positive", c.options.LogEvents)
	}
	return nil
}

// settle derives what the flags leave open.
func (c *config) settle() {
	c.spec = generator.Scale(c.pods)
	if c.jobs >= 0 {
		c.spec.Jobs = c.jobs
	}
	if c.nodes >= 0 {
		c.spec.Nodes = c.nodes
	}
	c.spec.Now = time.Now()
	c.spec.Seed, c.churn.Seed, c.options.Seed = c.seed, c.seed+1, c.seed+2
	c.options.NoWatchList = !c.watchList
}

// serve makes the cluster and serves it until ctx ends.
func serve(ctx context.Context, c config, stdout io.Writer) error {
	c.settle()
	cluster := simulator.New(c.options)
	if err := cluster.Populate(c.spec.Objects()); err != nil {
		return err
	}
	server, err := cluster.Serve(c.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	defer server.Stop()
	if c.kubeconfig != "" {
		if err := server.WriteKubeconfig(c.kubeconfig); err != nil {
			return fmt.Errorf("--kubeconfig: %w", err)
		}
	}
	_, _ = fmt.Fprintf(stdout, "Serving %d objects, %d of them pods, at %s\n", cluster.Len(), len(cluster.Names("pods")), server.URL())
	before := cluster.ResourceVersion()

	err = c.churn.Run(ctx, cluster) // until ctx ends

	sent := simulator.Sum(server.Traffic())
	_, _ = fmt.Fprintf(stdout, "Served %d lists, %d watches, %d gets and %d watch events, %d bytes; the cluster changed %d times\n",
		sent.Lists, sent.Watches, sent.Gets, sent.Events, sent.Bytes, cluster.ResourceVersion()-before)
	return err
}
