// Command architectures compares three ways to export the state of a cluster:
// values that are copied from a cache of objects into a registry now and then,
// metrics that are made of such a cache for each scrape, and statefleet, which
// keeps no objects. All show the same families of pods and jobs, each in a
// process of its own beside the others, on one simulated cluster.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/report"
	"github.com/statefleet/statefleet/benchmarks/simulator"
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

func parse(args []string, stdout, stderr io.Writer) (o options, done bool, err error) {
	app := kingpin.New("architectures", "Compares three ways to export the state of a cluster.")
	app.UsageWriter(stdout).ErrorWriter(stderr).Terminate(func(int) { done = true })
	app.HelpFlag.Short('h')
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
	o.what, err = app.Parse(args)
	if done {
		return o, true, nil
	}
	if err == nil && o.what == whatCompare && (o.pods < 1 || o.scrapes < 1 || o.follow <= 0 || o.churn <= 0 || o.every <= 0) {
		err = fmt.Errorf("--pods, --scrapes, --follow, --churn and --every have to be above zero")
	}
	if err == nil && o.what == whatServe && o.refresh <= 0 {
		err = fmt.Errorf("--refresh=%s: must be above zero", o.refresh)
	}
	return o, false, err
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, done, err := parse(args, stdout, stderr)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "architectures:", err)
		return 2
	}
	if done {
		return 0
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.what == whatServe {
		err = serve(ctx, o.as, o.kubeconfig, o.port, o.refresh)
	} else {
		err = o.compare(ctx, stdout, stderr)
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "architectures:", err)
		return 1
	}
	return 0
}

// compare measures all architectures on the same cluster.
func (o options) compare(ctx context.Context, stdout, stderr io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cluster := simulator.New(simulator.Options{Seed: 1})
	if err := cluster.Populate(simulator.Scale(o.pods)); err != nil {
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
