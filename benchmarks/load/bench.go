package load

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fit"
	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/measure"
	"github.com/statefleet/statefleet/benchmarks/report"
	"github.com/statefleet/statefleet/benchmarks/simulator"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

const seed = 1 // of the simulated cluster; churns have seeds above it

// bench is a simulated cluster on which exporters are measured.
type bench struct {
	*options
	cluster       *simulator.Cluster
	out, progress io.Writer
	touchSeed     uint64 // next seed of a Touch
}

// newBench generates the cluster.
func (o *options) newBench(pods int, out, progress io.Writer) (*bench, error) {
	b := &bench{options: o, out: out, progress: progress}
	return b, b.generate(pods)
}

// generate replaces the simulated cluster by a new one.
func (b *bench) generate(pods int) (err error) {
	start := time.Now()
	b.touchSeed = 0
	if b.cluster, err = generator.NewCluster(pods, simulator.Options{Seed: seed, LogEvents: 1 << 20}); err != nil {
		return err
	}
	debug.FreeOSMemory()
	b.logf("cluster of %d objects, generated in %.1f s", b.cluster.Len(), time.Since(start).Seconds())
	return nil
}

func (b *bench) logf(format string, args ...any) {
	_, _ = fmt.Fprintf(b.progress, format+"\n", args...)
}

// step is a named step of the measurement of a fleet.
type step struct {
	name string
	run  func(context.Context, *measure.Session) error
}

// measureSteps opens a session, waits until it is synced, and runs the steps.
func (b *bench) measureSteps(ctx context.Context, e measure.Exporter, shards, running int, steps ...step) (*measure.Session, error) {
	s, err := b.open(ctx, e, shards, running, b.byServer)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for _, step := range steps {
		if err := step.run(ctx, s); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", e.Name, step.name, err)
		}
		b.logf("  %s%s", step.name, progressOf(s.Sum()))
	}
	return s, nil
}

// progressOf describes the figures that the steps so far have measured.
func progressOf(sum report.Figures) (text string) {
	if memory := max(sum[measure.RestRSS], sum[measure.ChurnRSS]); memory > 0 {
		text += fmt.Sprintf(", %.0f MiB", memory)
	}
	if cpu := sum[measure.EventCPU]; cpu > 0 {
		text += fmt.Sprintf(", %.1f us of CPU an event", cpu)
	}
	return text
}

// open opens a session and waits until it is synced. With byServer the API server shards. The caller closes the
// session.
func (b *bench) open(ctx context.Context, e measure.Exporter, shards, running int, byServer bool) (*measure.Session, error) {
	s, err := measure.Open(b.cluster, e, shards, running, byServer)
	if err == nil {
		if err = s.Sync(ctx, b.atRest); err != nil {
			s.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Name, err)
	}
	sum := s.Sum()
	b.logf("%s, %d of %d: synced in %.1f s, %.2f CPU-s, peak %.0f MiB", e.Name, running, shards,
		sum[measure.SyncTime], sum[measure.SyncCPU], sum[measure.Peak])
	return s, nil
}

// all returns all steps, in an order in which each finds the state that it needs: at rest, changed, churning.
func (b *bench) all() []step {
	const percentScrapes = 3
	changed := func(kind string, n int, touch generator.Touch) step {
		return step{kind, func(ctx context.Context, s *measure.Session) error {
			touch.PerSecond, touch.Seed = b.touchRate, b.touchSeed
			b.touchSeed += uint64(n * len(s.Figures))
			return s.Changed(ctx, kind, n, b.atRest, touch)
		}}
	}
	return []step{
		b.settled(),
		changed(measure.OnePercent, percentScrapes, generator.Touch{Share: 0.01}),
		changed(measure.Statuses, 1, generator.Touch{Share: 1}),
		changed(measure.Replaced, 1, generator.Touch{Share: 1, Replace: true}),
		b.churned(b.churnScrape),
	}
}

// settled returns a step that measures a fleet at rest.
func (b *bench) settled() step {
	return step{"at rest", func(ctx context.Context, s *measure.Session) error {
		if err := s.Idle(ctx, b.settle); err != nil {
			return err
		}
		return s.Settled(ctx, b.scrapes, max(1, b.scrapes/4))
	}}
}

// churned returns a step that measures under churn. It first waits until compression, which waits for quiet
// blocks, has reached a steady state. It then measures the cost of an event without scrapes, and then scrapes.
func (b *bench) churned(scrapes int) step {
	return step{"churn", func(ctx context.Context, s *measure.Session) error {
		c := b.churn
		c.Seed = seed + 7
		return c.During(ctx, b.cluster, func(ctx context.Context) error {
			err := fleet.Pause(ctx, b.warm)
			if err == nil {
				err = s.Events(ctx, b.window)
			}
			if err == nil && scrapes > 0 {
				err = s.ChurnScrapes(ctx, scrapes, b.every)
			}
			if err == nil {
				err = s.Memory(measure.ChurnRSS)
			}
			return err
		})
	}}
}

// foreign returns a step that measures events that other shards own. It causes many of them, because one costs
// little.
func (b *bench) foreign() step {
	return step{"events of others", func(ctx context.Context, s *measure.Session) error {
		if err := s.Idle(ctx, b.window/6); err != nil {
			return err
		}
		c := generator.Churn{StatusUpdatesPerSecond: 10 * b.churn.StatusUpdatesPerSecond, Seed: seed + 8}
		return c.During(ctx, b.cluster, func(ctx context.Context) error {
			if err := fleet.Pause(ctx, b.window/10); err != nil {
				return err
			}
			return s.Events(ctx, b.window/2)
		})
	}}
}

// findings is the content of a JSON result file.
type findings struct {
	Conditions report.Conditions
	Churn      generator.Churn
	Columns    []string         `json:",omitempty"`
	Figures    []report.Figures `json:",omitempty"`
	Runs       []fit.Run        `json:",omitempty"`
}

func (f *findings) add(column string, figures report.Figures) {
	f.Columns, f.Figures = append(f.Columns, column), append(f.Figures, figures)
}

// finishRatios compares the medians of runs of two kinds, whose names are the columns.
func (b *bench) finishRatios(name, what string, columns [2]string, runs [2][]report.Figures) error {
	var f findings
	for i, column := range columns {
		f.add(column, report.MedianOf(measure.Measures(), runs[i]))
	}
	var text strings.Builder
	head := [4]string{fmt.Sprintf("%s %d", what, b.rounds), columns[0], columns[1], "ratio"}
	report.WriteRatios(&text, measure.Measures(), head, f.Figures[0], f.Figures[1])
	return b.finish(name+"-"+report.Thousands(b.pods), text.String(), f)
}

// finish prints the conditions and text, the tables in Markdown. It saves them and f under name, unless name is empty.
func (b *bench) finish(name, text string, f findings) error {
	f.Conditions, f.Churn = report.Observe(b.commit, b.cluster), b.churn
	var md strings.Builder
	f.Conditions.Write(&md)
	_, _ = fmt.Fprintf(&md, "Churn: %g jobs and %g status updates a second.\n\n%s\n",
		b.churn.JobsPerSecond, b.churn.StatusUpdatesPerSecond, text)
	if _, err := io.WriteString(b.out, md.String()); err != nil || name == "" {
		return err
	}
	return report.Save(b.results, name, md.String(), f)
}
