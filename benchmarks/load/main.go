// Command load measures what an exporter of the cluster's state costs, on a
// simulated cluster: start-up, memory, scrapes and events. Times of a shared
// machine are noisy; compare figures of one run with each other.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/report"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// options are the flags.
type options struct {
	what string // the command

	binary, arguments string
	other, otherArgs  string
	otherReady        string
	results, commit   string

	pods         int
	shards, only int
	seed         uint64
	sharding     bool

	parts          []string // of the targets; see part
	starts, rounds int
	scrapes        int
	churnScrapesN  int
	touchRate      float64

	atRest, settle, warm, window, every time.Duration

	jobs, updates, heartbeats float64

	name          string
	sizes, fleets []int
	rates         []int

	command, otherCommand fleet.Command
}

const (
	whatTargets = "targets"
	whatCompare = "compare"
	whatFleet   = "fleet"
	whatCurve   = "curve"
	whatRates   = "rates"
	whatIdle    = "idle"
)

// flags returns the program's flags, and where their values come.
func flags() (*kingpin.Application, *options) {
	o := new(options)
	app := kingpin.New("load", "Measures exporters of a cluster's state on a simulated cluster.")
	app.Flag("binary", "The exporter that is measured.").Default("bin/statefleet").StringVar(&o.binary)
	app.Flag("args", "Its further arguments; with templates such as {{.Kubeconfig}}, {{.Port}}, {{.TelemetryPort}}, {{.Shard}} and {{.Shards}}, its whole command line.").StringVar(&o.arguments)
	app.Flag("results", "Directory that takes the results.").Default("benchmarks/results").StringVar(&o.results)
	app.Flag("commit", "What the results name as the commit.").StringVar(&o.commit)
	app.Flag("pods", "Pods in the simulated cluster; everything else is in proportion.").Default("20000").IntVar(&o.pods)
	app.Flag("seed", "Seed of the simulated cluster.").Default("1").Uint64Var(&o.seed)
	app.Flag("server-sharding", "Let the simulated API server honour the shard selector.").BoolVar(&o.sharding)
	app.Flag("scrapes", "Scrapes of an unchanged store with gzip; a quarter of that without.").Default("20").IntVar(&o.scrapes)
	app.Flag("churn-scrapes", "Scrapes under churn.").Default("3").IntVar(&o.churnScrapesN)
	app.Flag("every", "Time between two of them.").Default("30s").DurationVar(&o.every)
	app.Flag("at-rest", "Time without work after which a start or a change is taken to be over.").Default("1s").DurationVar(&o.atRest)
	app.Flag("settle", "Time at rest before scrapes and memory are measured; pages are packed when they were quiet for a minute.").Default("75s").DurationVar(&o.settle)
	app.Flag("warm", "Time of churn before it is measured, for the same reason.").Default("75s").DurationVar(&o.warm)
	app.Flag("window", "Time of churn without scrapes that is measured.").Default("60s").DurationVar(&o.window)
	app.Flag("touch-rate", "Objects changed each second for scrapes after a change.").Default("5000").Float64Var(&o.touchRate)
	app.Flag("jobs-per-second", "Jobs created, run and deleted each second of churn.").Default("20").Float64Var(&o.jobs)
	app.Flag("updates-per-second", "Status updates of pods each second of churn.").Default("200").Float64Var(&o.updates)
	app.Flag("heartbeats-per-second", "Node leases renewed each second of churn; a tenth of the nodes is real.").Default("0").Float64Var(&o.heartbeats)

	targets := app.Command(whatTargets, "One shard, 1 of 4, 1 of 8: everything that there are targets for.")
	targets.Flag("part", "Part to measure; may be repeated. Rows of the others are left out, and nothing is written to --results. Default: all.").EnumsVar(&o.parts, allParts()...)
	targets.Flag("starts", "Starts of each that the figures for synchronising are the median of.").Default("3").IntVar(&o.starts)
	compare := app.Command(whatCompare, "Another exporter beside it, by turns.")
	compare.Flag("other", "The other exporter's binary.").Required().StringVar(&o.other)
	compare.Flag("other-args", "Its arguments, as for --args.").StringVar(&o.otherArgs)
	compare.Flag("other-ready", "Path beside its metrics that answers 200 once it serves.").Default("/healthz").StringVar(&o.otherReady)
	compare.Flag("rounds", "Runs of each.").Default("2").IntVar(&o.rounds)
	fleets := app.Command(whatFleet, "A fleet: each shard and the sum.")
	for _, c := range []*kingpin.CmdClause{compare, fleets} {
		c.Flag("shards", "Shards that the cluster is divided into.").Default("1").IntVar(&o.shards)
		c.Flag("only", "Shards to run; 0 means all.").Default("0").IntVar(&o.only)
	}
	curves := app.Command(whatCurve, "Fleets of several sizes, side by side.")
	curves.Flag("size", "Pods of a cluster; may be given several times.").Required().IntsVar(&o.sizes)
	curves.Flag("fleet", "Shards of a fleet, one such on each cluster; may be given several times.").Required().IntsVar(&o.fleets)
	rates := app.Command(whatRates, "A shard that owns next to nothing, and events that come at several rates.")
	rates.Flag("rate", "Status updates a second; may be given several times.").Required().IntsVar(&o.rates)
	app.Command(whatIdle, "Three replicas of a coordinated fleet while nothing happens: CPU and API requests over --window, after --settle.")
	for _, c := range []*kingpin.CmdClause{curves, rates} {
		c.Flag("name", "Name of the results.").Required().StringVar(&o.name)
	}
	return app, o
}

// check refuses what can't be measured, and makes the command lines.
func (o *options) check(chosen string) (err error) {
	o.what = chosen
	if o.command, err = fleet.ParseCommand(o.binary, o.arguments); err != nil {
		return fmt.Errorf("--args: %w", err)
	}
	if o.otherCommand, err = fleet.ParseCommand(o.other, o.otherArgs); err != nil {
		return fmt.Errorf("--other-args: %w", err)
	}
	if o.what != whatTargets {
		o.starts = 1
	}
	if o.what != whatCompare {
		o.rounds = 1
	}
	if o.what != whatCompare && o.what != whatFleet {
		o.shards = 1
	}
	for name, n := range map[string]int{
		"--pods": o.pods, "--shards": o.shards, "--scrapes": o.scrapes, "--churn-scrapes": o.churnScrapesN, "--starts": o.starts, "--rounds": o.rounds,
	} {
		if n < 1 {
			return fmt.Errorf("%s=%d: must be above zero", name, n)
		}
	}
	if o.only < 0 || o.only > o.shards {
		return fmt.Errorf("--only=%d: must be from 0 to --shards", o.only)
	}
	for name, all := range map[string][]int{"--size": o.sizes, "--fleet": o.fleets, "--rate": o.rates} {
		if i := slices.IndexFunc(all, func(n int) bool { return n < 1 }); i >= 0 {
			return fmt.Errorf("%s=%d: must be above zero", name, all[i])
		}
	}
	for name, d := range map[string]time.Duration{"--at-rest": o.atRest, "--window": o.window, "--every": o.every} {
		if d <= 0 {
			return fmt.Errorf("%s=%s: must be above zero", name, d)
		}
	}
	return nil
}

// running is how many shards run.
func (o *options) running() int {
	if o.only > 0 {
		return o.only
	}
	return o.shards
}

// exporter is the one that is measured.
func (o *options) exporter() exporter {
	return exporter{name: "statefleet", command: o.command, ready: "/readyz"}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app, o := flags()
	return command.Program{App: app, Check: o.check, Work: func(ctx context.Context) error {
		return load(ctx, *o, stdout, stderr)
	}}.Run(ctx, args, stdout, stderr)
}

// load runs the cluster in this process and the shards in theirs, so that the
// figures of the shards hold nothing of the cluster.
func load(ctx context.Context, o options, out, progress io.Writer) error {
	switch o.what {
	case whatCurve:
		return o.curve(ctx, out, progress)
	case whatIdle:
		return o.idle(ctx, out)
	}
	b, err := newBench(o, progress)
	if err != nil {
		return err
	}
	r := &findings{Conditions: b.conditions(), pods: o.pods}
	name := o.what + "-" + report.Thousands(o.pods)
	switch o.what {
	case whatTargets:
		if r.Outcome, err = b.targets(ctx); err == nil {
			r.Targets = r.Outcome.judge(o.pods)
		}
	case whatCompare:
		r.Comparison, err = b.compare(ctx, exporter{name: "other", command: o.otherCommand, ready: o.otherReady})
	case whatRates:
		r.Runs, err = b.foreignRates(ctx)
		name = o.name
	case whatFleet:
		r.Run, err = b.with(ctx, b.exporter(), o.shards, o.running(), b.all(ctx)...)
		name = fmt.Sprintf("%s-%d", name, o.shards)
	}
	if err != nil {
		return err
	}
	r.write(out)
	if len(o.parts) > 0 {
		return nil // results are whole
	}
	return r.save(o.results, name)
}
