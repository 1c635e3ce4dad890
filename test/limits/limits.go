// Package limits measures a fleet on a simulated cluster as large as Kubernetes supports: 5,000 nodes and 150,000 pods.
// It measures the start, the steady state under change, a change of the number of replicas, and rolling restarts, and
// compares them with the estimate for the same cluster. While the fleet changes, every job and every pod is audited.
package limits

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/statefleet/statefleet/benchmarks/command"
	"github.com/statefleet/statefleet/benchmarks/fit"
	"github.com/statefleet/statefleet/benchmarks/report"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
	"github.com/statefleet/statefleet/internal/capacity"
)

// Parts of the measurement, in addition to the start.
const (
	partSteady   = "steady"
	partScale    = "scale"
	partRestarts = "restarts"
)

// Nodes and Jobs in proportion to the pods. Kubernetes supports 150,000 pods on 5,000 nodes; it has no limit for Jobs.
const (
	podsPerNode = 30
	podsPerJob  = 10
)

// seed is that of the simulated cluster.
const seed = 1

// options are the flags.
type options struct {
	binary       *string
	pods         int
	replicas, to int
	events       float64
	byServer     bool
	parts        []string

	warm, window, hold    time.Duration
	results, name, commit string
}

// Commands registers the subcommand limits.
func Commands(app *kingpin.Application) []command.Command {
	c, o := app.Command("limits", "Measure a fleet at the limits of Kubernetes, and audit it while it changes."),
		new(options)
	o.binary = command.Binary(c)
	c.Flag("pods", "Pods in the simulated cluster, those of jobs included; other objects in proportion.").
		Default("150000").IntVar(&o.pods)
	c.Flag("replicas", "Replicas of the fleet.").Default("8").IntVar(&o.replicas)
	c.Flag("to", "Replicas to scale to, and back again.").Default("12").IntVar(&o.to)
	c.Flag("events-per-second", "Changes of objects per second.").Default("1000").Float64Var(&o.events)
	c.Flag("server-sharding", "Let the simulated API server honour the shard selector.").BoolVar(&o.byServer)
	c.Flag("part", "Part to measure after the start, repeatable. Default: all.").
		EnumsVar(&o.parts, partSteady, partScale, partRestarts)
	c.Flag("warm", "Time before the steady state is measured. Blocks are compressed a minute after a change.").
		Default("75s").DurationVar(&o.warm)
	c.Flag("window", "Duration of the measurement of the steady state.").Default("40s").DurationVar(&o.window)
	c.Flag("hold", "Pause before, between and after changes of the fleet.").Default("10s").DurationVar(&o.hold)
	c.Flag("results", "Directory for the results.").Default("benchmarks/results").StringVar(&o.results)
	c.Flag("name", "Name of the result files. Default: such as limits-150k.").StringVar(&o.name)
	c.Flag("commit", "Commit to name in the results.").StringVar(&o.commit)
	return []command.Command{{Clause: c, Check: o.check, Run: o.run}}
}

func (o *options) check() error {
	if o.name == "" {
		o.name = "limits-" + report.Thousands(o.pods)
		if o.byServer {
			o.name += "-server-sharding"
		}
	}
	if o.to <= o.replicas && o.measures(partScale) {
		return fmt.Errorf("--to must be more than --replicas, got %d", o.to)
	}
	return cmp.Or(command.AtLeast("pods", podsPerNode, o.pods),
		command.AtLeast("replicas", 1, o.replicas), command.AtLeast("events-per-second", 0, o.events),
		command.AtLeast("window", 0.1, o.window.Seconds()))
}

func (o *options) measures(part string) bool {
	return len(o.parts) == 0 || slices.Contains(o.parts, part)
}

// spec describes the cluster. Scale gets the number of pods without those of jobs, because it adds one for each job.
func (o *options) spec() generator.Spec {
	spec := generator.Scale(o.pods - o.jobs())
	spec.Seed, spec.Jobs, spec.Nodes = seed, o.jobs(), o.nodes()
	return spec
}

func (o *options) jobs() int { return o.pods / podsPerJob }

func (o *options) nodes() int { return o.pods / podsPerNode }

// churn describes the changes of objects. Half of the events are status updates of pods. The other half belongs to jobs
// that are created, run and deleted, with ten events for each job.
func (o *options) churn() generator.Churn {
	return generator.Churn{JobsPerSecond: o.events / 20, StatusUpdatesPerSecond: o.events / 2, Seed: seed + 7}
}

// load is the input of the estimate.
func (o *options) load(c capacity.Costs, events float64) capacity.Load {
	return capacity.Load{
		Kinds:  c.ScaleFromPods(map[string]int{"pods": o.pods, "jobs": o.jobs(), "nodes": o.nodes()}, capacity.DefaultKinds()),
		Events: events, Interval: o.window, RawBytes: rawBytes, ServerSharded: o.byServer,
	}
}

// rawBytes is the default of --store.raw-bytes.
const rawBytes = 32 << 20

func (o *options) run(ctx context.Context, out, progress io.Writer) error {
	costs, err := capacity.Measured()
	if err != nil {
		return err
	}
	s, err := newSetup(o, costs, progress)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.start(ctx); err != nil {
		return err
	}
	err = s.churn().During(ctx, s.cluster, s.measure)
	_, failed := io.WriteString(out, s.table(s.findings()))
	return errors.Join(err, failed)
}

// measure measures the selected parts while the cluster changes. It saves the results after each part, so that an
// interruption does not lose them.
func (s *setup) measure(ctx context.Context) error {
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{{partSteady, s.steady}, {partScale, s.scaling}, {partRestarts, s.restarts}} {
		if !s.measures(part.name) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		f := s.findings()
		if err := report.Save(s.results, s.name, s.table(f), f); err != nil {
			return err
		}
	}
	return nil
}

// findings is the content of the result file.
type findings struct {
	Conditions report.Conditions
	Churn      generator.Churn
	Pods       int
	Jobs       int
	Nodes      int
	Runs       []fit.Run
	Rows       []row
	Audits     []auditResult
}

func (s *setup) findings() findings {
	return findings{
		Conditions: report.Observe(s.commit, s.cluster), Churn: s.churn(), Pods: s.pods, Jobs: s.jobs(), Nodes: s.nodes(),
		Runs: []fit.Run{s.fitRun}, Rows: s.rows, Audits: s.audited,
	}
}

// table returns the results in Markdown.
func (s *setup) table(f findings) string {
	var md strings.Builder
	f.Conditions.Write(&md)
	sends := "sends everything to every replica"
	if s.byServer {
		sends = "shards"
	}
	_, _ = fmt.Fprintf(&md, "%d replicas; the API server %s. Churn: %g jobs and %g status updates a second.\n\n",
		s.replicas, sends, f.Churn.JobsPerSecond, f.Churn.StatusUpdatesPerSecond)
	writeRows(&md, s.rows)
	if len(s.audited) > 0 {
		_, _ = fmt.Fprintln(&md)
		writeAudits(&md, s.audited)
	}
	return md.String()
}
