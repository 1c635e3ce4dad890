// Package apisim serves a simulated Kubernetes API with a generated cluster, to try an exporter without a
// real cluster.
package apisim

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

// config holds the values of the flags.
type config struct {
	listen, kubeconfig string
	pods               int
	seed               uint64
	churn              generator.Churn
	options            simulator.Options
}

// Commands registers the subcommand apisim.
func Commands(app *kingpin.Application) []command.Command {
	c := new(config)
	a := app.Command("apisim", "Serve a simulated Kubernetes API with a generated cluster.")
	a.Flag("listen", "Address to serve on.").Default("127.0.0.1:6443").StringVar(&c.listen)
	a.Flag("kubeconfig", "Write a kubeconfig for the simulated API to this file.").StringVar(&c.kubeconfig)
	a.Flag("pods", "Pods of workloads; other objects in proportion, 57,000 objects for 20,000 pods.").Default("1000").IntVar(&c.pods)
	a.Flag("seed", "Seed of names, uids and states.").Default("0").Uint64Var(&c.seed)
	a.Flag("churn-jobs", "Jobs created, run and deleted each second.").Default("0").Float64Var(&c.churn.JobsPerSecond)
	a.Flag("churn-updates", "Status updates of pods a second.").Default("0").Float64Var(&c.churn.StatusUpdatesPerSecond)
	a.Flag("churn-heartbeats", "Node leases renewed a second; real nodes renew one in 10 s.").Default("0").Float64Var(&c.churn.HeartbeatsPerSecond)
	a.Flag("shard-selector", "Honour shardSelector, as a server with the gate ShardedListAndWatch does.").BoolVar(&c.options.ShardSelector)
	return []command.Command{{Clause: a, Check: c.check, Run: c.serve}}
}

// check rejects negative numbers, which the generator would take for zero.
func (c *config) check() error {
	return cmp.Or(
		command.AtLeast("pods", 0, c.pods),
		command.AtLeast("churn-jobs", 0, c.churn.JobsPerSecond),
		command.AtLeast("churn-updates", 0, c.churn.StatusUpdatesPerSecond),
		command.AtLeast("churn-heartbeats", 0, c.churn.HeartbeatsPerSecond),
	)
}

// serve generates the cluster and serves it until ctx ends.
func (c *config) serve(ctx context.Context, stdout, _ io.Writer) error {
	spec := generator.Scale(c.pods)
	spec.Now = time.Now()
	spec.Seed, c.churn.Seed, c.options.Seed = c.seed, c.seed+1, c.seed+2
	cluster := simulator.New(c.options)
	if err := cluster.Populate(spec.Objects()); err != nil {
		return err
	}
	server, err := cluster.Serve(c.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	defer server.Stop()
	if c.kubeconfig != "" {
		if err := fleet.WriteKubeconfig(c.kubeconfig, server.URL(), nil, ""); err != nil {
			return fmt.Errorf("--kubeconfig: %w", err)
		}
	}
	_, _ = fmt.Fprintf(stdout, "Serving %d objects, %d of them pods, at %s\n", cluster.Len(), len(cluster.Names("pods")), server.URL())
	before := cluster.ResourceVersion()

	err = c.churn.Run(ctx, cluster) // until ctx ends

	sent := server.Traffic()
	_, _ = fmt.Fprintf(stdout, "Served %d lists, %d watches, %d gets and %d watch events, %d bytes; the cluster changed %d times\n",
		sent.Lists.Load(), sent.Watches.Load(), sent.Gets.Load(), sent.Events.Load(), sent.Bytes.Load(), cluster.ResourceVersion()-before)
	return err
}
