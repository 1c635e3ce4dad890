// Command architectures compares three ways to export the state of a cluster:
// values that are copied from a cache of objects into a registry now and then,
// metrics that are made of such a cache for each scrape, and statefleet, which
// keeps no objects. All show the same families of pods and jobs.
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

	"github.com/statefleet/statefleet/benchmarks/simulator"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// options are the flags.
type options struct {
	what string // the command

	binary        string
	pods          int
	scrapes       int
	changes       int
	settle, churn time.Duration
	jobs          float64

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
	compare.Flag("scrapes", "Scrapes that a figure is the mean of.").Default("5").IntVar(&o.scrapes)
	compare.Flag("changes", "Changes whose way to the page is followed.").Default("4").IntVar(&o.changes)
	compare.Flag("settle", "Time at rest before memory is read.").Default("75s").DurationVar(&o.settle)
	compare.Flag("churn", "Time in which Jobs come and go.").Default("60s").DurationVar(&o.churn)
	compare.Flag("jobs-per-second", "Jobs that come and go each second.").Default("50").Float64Var(&o.jobs)
	serves := app.Command(whatServe, "Be one of the two that are not statefleet.")
	serves.Flag("as", "Which.").Required().EnumVar(&o.as, asRegistry, asCollector)
	serves.Flag("kubeconfig", "The cluster.").Required().StringVar(&o.kubeconfig)
	serves.Flag("port", "Port of the metrics.").Required().IntVar(&o.port)
	serves.Flag("refresh", "Time from one copy into the registry to the next.").Default("10s").DurationVar(&o.refresh)
	o.what, err = app.Parse(args)
	if done {
		return o, true, nil
	}
	if err == nil && o.what == whatCompare && (o.pods < 1 || o.scrapes < 1 || o.changes < 1 || o.churn <= 0) {
		err = fmt.Errorf("--pods, --scrapes, --changes and --churn have to be above zero")
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

// compare measures one architecture after the other on the same cluster.
func (o options) compare(ctx context.Context, stdout, stderr io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cluster := simulator.New(simulator.Options{Seed: 1})
	if err := cluster.Populate(simulator.Scale(o.pods)); err != nil {
		return err
	}
	m := measurement{options: o, cluster: cluster}
	all := architectures(self, o.binary)
	var rows []row
	for _, a := range all {
		_, _ = fmt.Fprintln(stderr, a.name)
		r, err := m.measure(ctx, a)
		if err != nil {
			return err
		}
		rows = append(rows, r)
	}
	print(stdout, all, rows)
	return nil
}
