// Command soak runs a fleet of statefleet replicas for a long time on a simulated
// cluster in which everything happens: pods come and go, watches are cut, events are
// forgotten, requests fail, the configuration is reloaded, the fleet is scaled. It
// fails when something grows that should not, when a scrape goes unanswered, or when
// in the end the page is not what the cluster holds.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// options are the flags.
type options struct {
	binary     string
	duration   time.Duration
	warmUp     time.Duration
	pods       int
	rate       float64
	replicas   int
	round      time.Duration
	tolerance  float64
	seed       uint64
	keepFailed bool
}

// flags returns the program's flags, and where their values come.
func flags() (*kingpin.Application, *options) {
	o := new(options)
	app := kingpin.New("soak", "Runs statefleet for a long time under change and faults, and looks what grows.")
	app.Flag("binary", "The statefleet binary.").Default("bin/statefleet").StringVar(&o.binary)
	app.Flag("duration", "Time to run.").Default("1h").DurationVar(&o.duration)
	app.Flag("warm-up", "Time after which the first quarter of the looks begins; by default a tenth of the duration.").DurationVar(&o.warmUp)
	app.Flag("pods", "Number of pods that stay; everything else is in proportion.").Default("2000").IntVar(&o.pods)
	app.Flag("rate", "Pods that are created, run and deleted each second, with a Job each.").Default("100").Float64Var(&o.rate)
	app.Flag("replicas", "Number of replicas.").Default("3").IntVar(&o.replicas)
	app.Flag("round", "Length of a round: a time in which everything happens, then a look at the held objects.").Default("30s").DurationVar(&o.round)
	app.Flag("tolerance", "Percent by which the last quarter of the looks may differ from the first.").Default("3").Float64Var(&o.tolerance)
	app.Flag("seed", "Seed of the cluster, its change and the faults.").Default("1").Uint64Var(&o.seed)
	app.Flag("keep", "Leave the logs of a run that failed where they are.").BoolVar(&o.keepFailed)
	return app, o
}

// check refuses what gives no figures.
func (o *options) check(string) error {
	if o.warmUp == 0 {
		o.warmUp = o.duration / 10
	}
	switch {
	case o.replicas < 2:
		return fmt.Errorf("--replicas: %d is less than two, which scaling down needs", o.replicas)
	case o.pods < 1 || o.rate <= 0 || o.tolerance <= 0:
		return fmt.Errorf("--pods, --rate and --tolerance have to be above zero")
	case o.round < 20*time.Second:
		return fmt.Errorf("--round: %s is less than 20s, which its parts take", o.round)
	case o.duration < 5*o.round:
		return fmt.Errorf("--duration: %s is less than five rounds of %s, without which there are no quarters", o.duration, o.round)
	case o.warmUp < 0 || o.warmUp > o.duration/2:
		return fmt.Errorf("--warm-up: %s is not a part of %s that leaves half of it", o.warmUp, o.duration)
	}
	return nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app, o := flags()
	return command.Program{App: app, Check: o.check, Work: func(ctx context.Context) error {
		return soak(ctx, *o, stdout)
	}}.Run(ctx, args, stdout, stderr)
}
