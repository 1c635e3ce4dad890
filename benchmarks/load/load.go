// Package load measures the cost of an exporter of cluster state on a simulated cluster: start, memory,
// scrapes and events. Times on a shared machine are noisy, so compare only figures of the same run.
package load

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/measure"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

// options holds the values of the flags.
type options struct {
	binary               *string
	arguments            string
	other, otherArgs     string
	otherReady           string
	results, commit      string
	pods, shards, only   int
	byServer             bool
	parts                []string // see allParts
	starts, rounds       int
	scrapes, churnScrape int
	touchRate            float64
	churn                generator.Churn
	name, folder         string
	sizes, fleets, rates []int

	atRest, settle, warm, window, every time.Duration

	exporter, otherExporter measure.Exporter
}

// Commands registers the subcommands load and compare.
func Commands(app *kingpin.Application) []command.Command {
	load := app.Command("load", "Measure the exporter: start, memory, scrapes, events.")
	part := func(name, help string, run func(*bench, context.Context) error) (command.Command, *options) {
		return register(load.Command(name, help), run)
	}
	targets, o := part("targets", "Measure one shard, 1 of 4 and 1 of 8, and compare the figures with their targets.", (*bench).targets)
	targets.Clause.Flag("part", "Part to measure, repeatable; other rows are left out, and nothing is written to --results. Default: all.").
		EnumsVar(&o.parts, allParts()...)
	targets.Clause.Flag("starts", "Number of starts of each kind, of which the median is taken.").Default("3").IntVar(&o.starts)
	one, o := part("fleet", "Measure a fleet: each shard and the sum.", (*bench).fleet)
	shardFlags(one.Clause, o)
	fleets, o := part("fleets", "Compare fleets of several sizes with one replica, with and without sharding by the API server.", (*bench).fleetTable)
	fleets.Clause.Flag("fleet", "Replicas of a fleet, repeatable; the others are compared with the first.").Default("1", "2", "4", "8", "16").IntsVar(&o.fleets)
	curve, o := part("curve", "Measure fleets of several sizes at the same time.", nil)
	curve.Clause.Flag("size", "Pods of a cluster, repeatable.").Required().IntsVar(&o.sizes)
	curve.Clause.Flag("fleet", "Shards of a fleet that runs on each cluster, repeatable.").Required().IntsVar(&o.fleets)
	curve.Clause.Flag("name", "Name of the results.").Required().StringVar(&o.name)
	curve.Run = o.curve
	rates, o := part("rates", "Measure events at several rates on a shard that owns almost nothing.", (*bench).eventRates)
	rates.Clause.Flag("rate", "Status updates a second, repeatable.").Required().IntsVar(&o.rates)
	rates.Clause.Flag("name", "Name of the results.").Required().StringVar(&o.name)

	restarts, o := part("restarts", "Measure starts without and with a saved state, alternately.", (*bench).restarts)
	restarts.Clause.Flag("rounds", "Number of starts of each.").Default("5").IntVar(&o.rounds)

	profiles, o := part("profiles", "Measure the exposition with each configuration file of a folder, with and without samples of value 0.",
		(*bench).profiles)
	profiles.Clause.Flag("folder", "Folder of the files.").Default("manifests/profiles").ExistingDirVar(&o.folder)

	compare, o := register(app.Command("compare", "Measure another exporter and statefleet alternately."), (*bench).compare)
	compare.Clause.Flag("other", "Binary of the other exporter.").Required().StringVar(&o.other)
	compare.Clause.Flag("other-args", "Arguments of the other exporter, as for --args.").StringVar(&o.otherArgs)
	compare.Clause.Flag("other-ready", "Path on the port of its metrics that returns 200 once it serves.").Default("/healthz").StringVar(&o.otherReady)
	compare.Clause.Flag("rounds", "Number of runs of each.").Default("2").IntVar(&o.rounds)
	shardFlags(compare.Clause, o)
	return []command.Command{targets, one, fleets, curve, rates, restarts, profiles, compare}
}

// register adds the flags that all measurements share.
func register(c *kingpin.CmdClause, run func(*bench, context.Context) error) (command.Command, *options) {
	o := &options{binary: command.Binary(c), starts: 1, rounds: 1, shards: 1}
	o.churn = generator.Churn{Tidy: true}
	c.Flag("args", "Further arguments of the binary, or, with templates such as {{.Kubeconfig}}, {{.Port}}, {{.TelemetryPort}}, "+
		"{{.Shard}} and {{.Shards}}, all of its arguments.").StringVar(&o.arguments)
	c.Flag("results", "Directory for the results.").Default("benchmarks/results").StringVar(&o.results)
	c.Flag("commit", "Name of the commit in the results.").StringVar(&o.commit)
	c.Flag("pods", "Pods in the simulated cluster; other objects in proportion.").Default("20000").IntVar(&o.pods)
	c.Flag("server-sharding", "Let the simulated API server honour the shard selector.").BoolVar(&o.byServer)
	c.Flag("scrapes", "Number of gzip scrapes of an unchanged store; a quarter as many are without gzip.").Default("20").IntVar(&o.scrapes)
	c.Flag("churn-scrapes", "Number of scrapes under churn.").Default("3").IntVar(&o.churnScrape)
	c.Flag("every", "Time between two scrapes under churn.").Default("30s").DurationVar(&o.every)
	c.Flag("at-rest", "Idle time after which a start or a change counts as complete.").Default("1s").DurationVar(&o.atRest)
	c.Flag("settle", "Time at rest before scrapes and memory are measured; blocks are compressed after a quiet minute.").
		Default("75s").DurationVar(&o.settle)
	c.Flag("warm", "Time of churn before the measurement, for the same reason.").Default("75s").DurationVar(&o.warm)
	c.Flag("window", "Duration of the measurement of churn without scrapes.").Default("60s").DurationVar(&o.window)
	c.Flag("touch-rate", "Objects changed each second for scrapes after a change.").Default("5000").Float64Var(&o.touchRate)
	c.Flag("jobs-per-second", "Jobs created, run and deleted each second of churn.").Default("20").Float64Var(&o.churn.JobsPerSecond)
	c.Flag("updates-per-second", "Status updates of pods each second of churn.").Default("200").Float64Var(&o.churn.StatusUpdatesPerSecond)
	return command.Command{Clause: c, Check: o.check, Run: func(ctx context.Context, out, progress io.Writer) error {
		b, err := o.newBench(o.pods, out, progress)
		if err != nil {
			return err
		}
		return run(b, ctx)
	}}, o
}

func shardFlags(c *kingpin.CmdClause, o *options) {
	c.Flag("shards", "Shards into which the cluster is divided.").Default("1").IntVar(&o.shards)
	c.Flag("only", "Number of shards to run; 0 means all.").Default("0").IntVar(&o.only)
}

// check rejects invalid values, and sets the command lines of the exporters.
func (o *options) check() error {
	c, err := fleet.ParseCommand(*o.binary, o.arguments)
	if err != nil {
		return fmt.Errorf("--args: %w", err)
	}
	o.exporter = measure.Exporter{Name: "statefleet", Command: c, Ready: "/readyz"}
	if c, err = fleet.ParseCommand(o.other, o.otherArgs); err != nil {
		return fmt.Errorf("--other-args: %w", err)
	}
	o.otherExporter = measure.Exporter{Name: "other", Command: c, Ready: o.otherReady}
	if o.only < 0 || o.only > o.shards {
		return fmt.Errorf("--only must be from 0 to --shards, got %d", o.only)
	}
	return cmp.Or(
		command.AtLeast("pods", 1, o.pods), command.AtLeast("shards", 1, o.shards),
		command.AtLeast("scrapes", 1, o.scrapes), command.AtLeast("churn-scrapes", 1, o.churnScrape),
		command.AtLeast("starts", 1, o.starts), command.AtLeast("rounds", 1, o.rounds),
		command.AtLeast("at-rest", 1e-3, o.atRest.Seconds()), command.AtLeast("window", 1e-3, o.window.Seconds()),
		command.AtLeast("every", 1e-3, o.every.Seconds()),
		command.AtLeast("size", 1, o.sizes...), command.AtLeast("fleet", 1, o.fleets...), command.AtLeast("rate", 1, o.rates...),
	)
}

// running returns the number of shards that run.
func (o *options) running() int { return cmp.Or(o.only, o.shards) }

// includes reports whether to measure a part of the targets. By default partChurn is left out, because partOne
// includes it.
func (o *options) includes(part string) bool {
	if len(o.parts) == 0 {
		return part != partChurn
	}
	return slices.Contains(o.parts, part)
}
