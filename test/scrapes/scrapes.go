// Package scrapes measures what the metrics of a large cluster cost a Prometheus: CPU and memory of scrapes, their
// duration, samples, and churn of series. It compares profiles, with and without samples of value 0, and one replica
// with several.
package scrapes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/benchmarks/report"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

// Values of --zeros.
const (
	withZeros    = "with"
	withoutZeros = "without"
)

// seed is that of the simulated cluster.
const seed = 1

// options are the flags.
type options struct {
	binary             *string
	prometheus         string
	pods               int
	replicas           []int
	profiles, zeros    []string
	profileDir         string
	events             float64
	interval, duration time.Duration
	memory             string
	mostMemory         int64

	results, name, commit string
}

// Commands registers the subcommand prometheus.
func Commands(app *kingpin.Application) []command.Command {
	c, o := app.Command("prometheus", "Measure a Prometheus that scrapes a large cluster under change."), new(options)
	o.binary = command.Binary(c)
	c.Flag("prometheus", "Binary of test/cmd/prometheus.").Default("bin/prometheus").StringVar(&o.prometheus)
	c.Flag("pods", "Pods in the simulated cluster, those of jobs included; other objects in proportion.").
		Default("20000").IntVar(&o.pods)
	c.Flag("replicas", "Replicas of a fleet, repeatable.").Default("1", "8").IntsVar(&o.replicas)
	c.Flag("profile", "Profile of the replicas, repeatable.").Default("default", "minimal").EnumsVar(&o.profiles,
		"default", "minimal", "everything")
	c.Flag("zeros", "With or without the samples of value 0 that --metric.skip-zero-statesets leaves out, repeatable.").
		Default(withZeros, withoutZeros).EnumsVar(&o.zeros, withZeros, withoutZeros)
	c.Flag("profiles", "Directory with the profiles.").Default("manifests/profiles").StringVar(&o.profileDir)
	c.Flag("events-per-second", "Changes of objects per second. -1: one for each 50 pods.").Default("-1").
		Float64Var(&o.events)
	c.Flag("interval", "Time between two scrapes.").Default("15s").DurationVar(&o.interval)
	c.Flag("duration", "Duration of the measurement of each combination, after its first scrape.").Default("1m").
		DurationVar(&o.duration)
	c.Flag("most-memory", "Resident memory of Prometheus above which a combination is aborted.").Default("14Gi").
		StringVar(&o.memory)
	c.Flag("results", "Directory for the results.").Default("benchmarks/results").StringVar(&o.results)
	c.Flag("name", "Name of the result files. Default: such as prometheus-20k.").StringVar(&o.name)
	c.Flag("commit", "Commit to name in the results.").StringVar(&o.commit)
	return []command.Command{{Clause: c, Check: o.check, Run: o.run}}
}

func (o *options) check() error {
	const podsPerEvent = 50
	if o.events < 0 {
		o.events = float64(o.pods) / podsPerEvent
	}
	if o.name == "" {
		o.name = "prometheus-" + report.Thousands(o.pods)
	}
	most, err := resource.ParseQuantity(o.memory)
	if err != nil {
		return fmt.Errorf("--most-memory must be a size such as 14Gi, got %q: %w", o.memory, err)
	}
	o.mostMemory = most.Value()
	if o.duration < o.interval {
		return fmt.Errorf("--duration must be at least --interval, got %s", o.duration)
	}
	return cmp.Or(command.AtLeast("replicas", 1, o.replicas...), command.AtLeast("pods", 20, o.pods),
		command.AtLeast("interval", 1, o.interval.Seconds()))
}

// churn describes the changes of objects, as in the other measurements: half of the events belong to jobs, with ten
// events for each job.
func (o *options) churn() generator.Churn {
	return generator.Churn{JobsPerSecond: o.events / 20, StatusUpdatesPerSecond: o.events / 2, Seed: seed + 7}
}

// combination is one combination of settings to measure.
type combination struct {
	Replicas int
	Profile  string
	Zeros    bool
}

func (o *options) combinations() (all []combination) {
	for _, profile := range o.profiles {
		for _, zeros := range o.zeros {
			for _, n := range o.replicas {
				all = append(all, combination{Replicas: n, Profile: profile, Zeros: zeros == withZeros})
			}
		}
	}
	return all
}

// findings is the content of the result file.
type findings struct {
	Conditions report.Conditions
	Churn      generator.Churn
	Interval   time.Duration
	Duration   time.Duration
	Figures    []figures
}

func (o *options) run(ctx context.Context, out, progress io.Writer) error {
	s, err := newSetup(o, progress)
	if err != nil {
		return err
	}
	defer s.close()
	f := findings{Churn: o.churn(), Interval: o.interval, Duration: o.duration}
	err = s.churn().During(ctx, s.cluster, func(ctx context.Context) error {
		for _, c := range o.combinations() {
			found, err := s.measure(ctx, c)
			var aborted bool
			if found.GivenUp, aborted = errors.AsType[reason](err); err != nil && !aborted {
				return fmt.Errorf("%d replicas, %s, zeros %v: %w", c.Replicas, c.Profile, c.Zeros, err)
			}
			s.printf("%d replicas, %s, zeros %v: %.0f samples, %.2f CPU-s a scrape, %.0f MiB, %v",
				c.Replicas, c.Profile, c.Zeros, found.Samples, found.CPU, found.Resident/mebi, err)
			f.Figures = append(f.Figures, found)
		}
		return nil
	})
	if err != nil {
		return err
	}
	f.Conditions = report.Observe(o.commit, s.cluster)
	var md strings.Builder
	f.Conditions.Write(&md)
	_, _ = fmt.Fprintf(&md,
		"Churn: %g jobs and %g status updates a second. A scrape every %s, for %s after the first.\n\n",
		f.Churn.JobsPerSecond, f.Churn.StatusUpdatesPerSecond, o.interval, o.duration)
	writeFigures(&md, f.Figures)
	if _, err := io.WriteString(out, md.String()); err != nil {
		return err
	}
	return report.Save(o.results, o.name, md.String(), f)
}
