// Package soak runs a fleet of statefleet replicas for a long time on a simulated cluster under change
// and faults: pods come and go, watches are closed, events are compacted, requests fail, the
// configuration is reloaded, the fleet is scaled. The run fails if a resource grows beyond a tolerance,
// if a scrape fails, or if the expositions differ from the cluster at the end.
package soak

import (
	"cmp"
	"fmt"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
)

// growth is how long the resident memory of replicas rises with the default --pods and --rate: by some
// six percent in four minutes, while the live heap stays the same.
const growth = 4 * time.Minute

// options holds the values of the flags.
type options struct {
	binary                  *string
	duration, warmUp, round time.Duration
	pods, replicas          int
	rate, tolerance         float64
	seed                    uint64
	keepFailed              bool
}

// Commands registers the subcommand soak.
func Commands(app *kingpin.Application) []command.Command {
	c := app.Command("soak", "Run a fleet for a long time under change and faults, and find what grows.")
	o := &options{binary: command.Binary(c)}
	c.Flag("duration", "Time to run.").Default("1h").DurationVar(&o.duration)
	c.Flag("warm-up", "Time after which the first quarter of the measurements begins; default: a tenth of the duration, at least 4m, at most a third of the duration.").DurationVar(&o.warmUp)
	c.Flag("pods", "Pods that stay; other objects in proportion.").Default("2000").IntVar(&o.pods)
	c.Flag("rate", "Pods created, run and deleted each second, with a Job each.").Default("100").Float64Var(&o.rate)
	c.Flag("replicas", "Number of replicas.").Default("3").IntVar(&o.replicas)
	c.Flag("round", "Duration of a round: disturbances, then a measurement.").Default("30s").DurationVar(&o.round)
	c.Flag("tolerance", "Percent by which the last quarter of the measurements may differ from the first.").Default("3").Float64Var(&o.tolerance)
	c.Flag("seed", "Seed of the cluster, its change and the faults.").Default("1").Uint64Var(&o.seed)
	c.Flag("keep", "Keep the logs of a run that failed.").BoolVar(&o.keepFailed)
	return []command.Command{{Clause: c, Check: o.check, Run: o.run}}
}

// check rejects values with which no figures can be computed.
func (o *options) check() error {
	if o.warmUp == 0 {
		o.warmUp = min(max(o.duration/10, growth), o.duration/3)
	}
	err := cmp.Or(
		command.AtLeast("replicas", 2, o.replicas), // each round scales down by one
		command.AtLeast("pods", 1, o.pods), command.AtLeast("rate", 0.01, o.rate), command.AtLeast("tolerance", 0.01, o.tolerance),
	)
	switch {
	case err != nil:
		return err
	case o.round < 20*time.Second:
		return fmt.Errorf("--round must be at least 20s, got %s", o.round)
	case o.duration < 5*o.round:
		return fmt.Errorf("--duration must be at least five rounds of %s, got %s", o.round, o.duration)
	case o.warmUp < 0 || o.warmUp > o.duration/2:
		return fmt.Errorf("--warm-up must be from 0 to half of --duration, got %s", o.warmUp)
	}
	return nil
}
