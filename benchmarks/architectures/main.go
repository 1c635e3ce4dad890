// Command architectures compares three ways to export the state of a cluster:
// values that are copied from a cache of objects into a registry now and then,
// metrics that are made of such a cache for each scrape, and statefleet, which
// keeps no objects. All show the same families of pods and jobs, each in a
// process of its own beside the others, on one simulated cluster.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/benchmarks/report"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// options are the flags.
type options struct {
	what string // the command

	binary, commit, results, docs string
	pods                          int
	scrapes                       int
	settle, every, follow, churn  time.Duration
	jobs                          float64

	as, kubeconfig string
	port           int
	refresh        time.Duration
}

const (
	whatCompare = "compare"
	whatServe   = "serve"
)

// flags returns the program's flags, and where their values come.
func flags() (*kingpin.Application, *options) {
	o := new(options)
	app := kingpin.New("architectures", "Compares three ways to export the state of a cluster.")
	compare := app.Command(whatCompare, "Measure all three.").Default()
	compare.Flag("binary", "The statefleet binary.").Default("bin/statefleet").StringVar(&o.binary)
	compare.Flag("pods", "Pods in the simulated cluster.").Default("20000").IntVar(&o.pods)
	compare.Flag("commit", "What the results name as the commit.").StringVar(&o.commit)
	compare.Flag("results", "Directory that takes the results.").Default("benchmarks/results").StringVar(&o.results)
	compare.Flag("docs", "File in which the table is renewed.").StringVar(&o.docs)
	compare.Flag("scrapes", "Scrapes that a figure is the mean of, at least.").Default("5").IntVar(&o.scrapes)
	compare.Flag("follow", "Time for which the age of values on the pages is followed, of each.").Default("25s").DurationVar(&o.follow)
	compare.Flag("settle", "Time at rest before memory is read.").Default("75s").DurationVar(&o.settle)
	compare.Flag("every", "Time between two of the scrapes before memory is read.").Default("5s").DurationVar(&o.every)
	compare.Flag("churn", "Time in which Jobs come and go.").Default("30s").DurationVar(&o.churn)
	compare.Flag("jobs-per-second", "Jobs that come and go each second.").Default("50").Float64Var(&o.jobs)
	serves := app.Command(whatServe, "Be one of those that are not statefleet.")
	serves.Flag("as", "Which.").Required().EnumVar(&o.as, asRegistry, asCleared, asCollector)
	serves.Flag("kubeconfig", "The cluster.").Required().StringVar(&o.kubeconfig)
	serves.Flag("port", "Port of the metrics.").Required().IntVar(&o.port)
	serves.Flag("refresh", "Time from one copy into the registry to the next.").Default("10s").DurationVar(&o.refresh)
	return app, o
}

// check refuses what can't be measured.
func (o *options) check(chosen string) error {
	o.what = chosen
	switch {
	case o.what == whatServe && o.refresh <= 0:
		return fmt.Errorf("--refresh=%s: must be above zero", o.refresh)
	case o.what == whatCompare && (o.pods < 1 || o.scrapes < 1 || o.follow <= 0 || o.churn <= 0 || o.every <= 0):
		return errors.New("--pods, --scrapes, --follow, --churn and --every have to be above zero")
	}
	return nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app, o := flags()
	return command.Program{App: app, Check: o.check, Work: func(ctx context.Context) error {
		if o.what == whatServe {
			return serve(ctx, o.as, o.kubeconfig, o.port, o.refresh)
		}
		return o.compare(ctx, stdout, stderr)
	}}.Run(ctx, args, stdout, stderr)
}

// compare measures all architectures on the same cluster.
func (o options) compare(ctx context.Context, stdout, stderr io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cluster := simulator.New(simulator.Options{Seed: 1})
	if err := cluster.Populate(generator.Scale(o.pods).Objects()); err != nil {
		return err
	}
	f := findings{Conditions: report.Observe(o.commit, cluster), JobsPerSecond: o.jobs, ChurnSeconds: o.churn.Seconds()}
	m := &measurement{options: o, cluster: cluster, progress: stderr}
	if f.Rows, err = m.measure(ctx, architectures(self, o.binary)); err != nil {
		return err
	}
	f.EventsPerSecond = m.events
	f.write(stdout)
	return f.save(o)
}
