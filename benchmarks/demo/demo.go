// Package demo runs a fleet on a simulated cluster, to show how it works without a real cluster: pods and
// jobs come and go, every shard serves its objects, the fleet is scaled up and down, and a table shows the
// cost of each shard.
package demo

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/installation"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

// options holds the values of the flags.
type options struct {
	binary          *string
	shards, further int
	pods, port      int
	churn           generator.Churn
	every           time.Duration
	companion       Companion
}

// Commands registers the subcommand demo.
func Commands(app *kingpin.Application) []command.Command { return With(noCompanion{})(app) }

// With returns Commands for a demo with a companion.
func With(companion Companion) command.Group {
	return func(app *kingpin.Application) []command.Command {
		c := app.Command("demo", "Run a fleet on a simulated cluster and scale it.")
		o := &options{companion: companion}
		o.flags(c)
		return []command.Command{{Clause: c, Check: o.check, Run: o.run}}
	}
}

func (o *options) flags(c *kingpin.CmdClause) {
	o.binary = command.Binary(c)
	o.companion.Flags(c)
	c.Flag("shards", "Number of shards.").Default("3").IntVar(&o.shards)
	c.Flag("further-shards", "Number of shards by which the demo scales up, and later down.").Default("2").IntVar(&o.further)
	c.Flag("pods", "Pods in the simulated cluster; other objects in proportion.").Default("3000").IntVar(&o.pods)
	c.Flag("port", "Main port of the first shard; its telemetry port and the ports of the other shards follow.").Default("18080").IntVar(&o.port)
	c.Flag("jobs-per-second", "Jobs created, run and deleted each second.").Default("5").Float64Var(&o.churn.JobsPerSecond)
	c.Flag("updates-per-second", "Status updates of pods each second.").Default("50").Float64Var(&o.churn.StatusUpdatesPerSecond)
	c.Flag("every", "Time between two tables.").Default("5s").DurationVar(&o.every)
}

func (o *options) check() error {
	return cmp.Or(command.AtLeast("shards", 1, o.shards), command.AtLeast("further-shards", 0, o.further),
		command.AtLeast("port", 0, o.port), command.AtLeast("pods", 1, o.pods), command.AtLeast("every", 0.1, o.every.Seconds()))
}

func (o *options) run(ctx context.Context, out, _ io.Writer) error {
	o.announce(out)
	start := time.Now()
	cluster, err := generator.NewCluster(o.pods, simulator.Options{Seed: 1, ShardSelector: true})
	if err != nil {
		return err
	}
	server, err := cluster.Serve("")
	if err != nil {
		return err
	}
	defer server.Stop()
	printf(out, "Simulated cluster at %s (%.1f s) with %s", server.URL(), time.Since(start).Seconds(), inventory(cluster))
	install, err := installation.New(cluster, o.shards)
	if err != nil {
		return err
	}
	requests := make(scaleRequests, 1)
	defer o.companion.Stop()
	if err := o.companion.Start(requests.add); err != nil {
		return err
	}
	f, err := fleet.Start(fleet.Options{
		Command: append(fleet.On(*o.binary, "--apiserver="+server.URL()), installation.Flags()...), Shards: o.shards, Port: o.port,
	})
	if err != nil {
		return fmt.Errorf("--port: %w", err)
	}
	defer f.Stop()
	if err := o.companion.Follow(f.Replicas); err != nil {
		return err
	}
	v := view{options: o, cluster: cluster, fleet: f, install: install, requests: requests, out: out, start: start}
	o.churn.Seed = 1
	return o.churn.During(ctx, cluster, v.loop)
}

// announce prints the addresses to open, before the fleet has started.
func (o *options) announce(out io.Writer) {
	if o.port > 0 {
		printf(out, "Status page of the fleet: %s/", fleet.Address(o.port+1))
	}
	if line := o.companion.Announce(); line != "" {
		printf(out, "%s", line)
	}
	printf(out, "")
}

func printf(out io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(out, format+"\n", args...)
}
