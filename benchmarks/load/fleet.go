package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/statefleet/statefleet/benchmarks/fit"
	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/measure"
	"github.com/statefleet/statefleet/benchmarks/report"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

// fleet measures each shard of a fleet.
func (b *bench) fleet(ctx context.Context) error {
	s, err := b.measureSteps(ctx, b.exporter, b.shards, b.running(), b.all()...)
	if err != nil {
		return err
	}
	var f findings
	f.add("sum", s.Sum())
	for i, shard := range s.Figures {
		f.add(fmt.Sprint("shard ", i), shard)
	}
	var text strings.Builder
	report.WriteFigures(&text, measure.Measures(), f.Columns, f.Figures)
	return b.finish(fmt.Sprintf("fleet-%s-%d", report.Thousands(b.pods), b.shards), text.String(), f)
}

// compare measures two exporters alternately, so that other load on the machine affects both.
func (b *bench) compare(ctx context.Context) error {
	exporters := [2]measure.Exporter{b.exporter, b.otherExporter}
	var runs [2][]report.Figures
	for round := range b.rounds {
		for i, e := range exporters {
			if round+i > 0 { // the run before has changed the cluster
				if err := b.generate(b.pods); err != nil {
					return err
				}
			}
			s, err := b.measureSteps(ctx, e, b.shards, b.running(), b.all()...)
			if err != nil {
				return err
			}
			runs[i] = append(runs[i], s.Sum())
		}
	}
	return b.finishRatios("compare", "median of", [2]string{exporters[0].Name, exporters[1].Name}, runs)
}

// curve measures fleets of several sizes on clusters of several sizes. All fleets run at the same time, so that
// other load on the machine affects all. Starts and scrapes are measured one after the other; idle time and
// events are measured for all fleets at the same time.
func (o *options) curve(ctx context.Context, out, progress io.Writer) error {
	var sessions []*measure.Session
	var benches []*bench
	defer func() { closeAll(sessions) }()
	for _, pods := range o.sizes {
		b, err := o.newBench(pods, out, progress)
		if err != nil {
			return err
		}
		benches = append(benches, b)
		for _, shards := range o.fleets {
			s, err := b.open(ctx, o.exporter, shards, shards, o.byServer)
			if err != nil {
				return err
			}
			sessions = append(sessions, s)
		}
	}
	if err := o.sideBySide(ctx, benches, sessions); err != nil {
		return err
	}
	var runs []fit.Run
	for _, s := range sessions {
		runs = append(runs, runOf(s))
	}
	return benches[len(benches)-1].finishRuns(o.name, runs)
}

// sideBySide measures memory and scrapes at rest, then idle time, then events, then memory under events.
func (o *options) sideBySide(ctx context.Context, benches []*bench, sessions []*measure.Session) error {
	if err := fleet.Pause(ctx, o.settle); err != nil {
		return err
	}
	for _, s := range sessions {
		if err := s.Settled(ctx, o.scrapes, 1); err != nil {
			return err
		}
	}
	each := func(do func(*measure.Session) error) error {
		var all errgroup.Group
		for _, s := range sessions {
			all.Go(func() error { return do(s) })
		}
		return all.Wait()
	}
	if err := each(func(s *measure.Session) error { return s.Idle(ctx, o.window/2) }); err != nil {
		return err
	}
	events := func(ctx context.Context) error {
		if err := fleet.Pause(ctx, o.warm); err != nil {
			return err
		}
		return each(func(s *measure.Session) error { return s.Events(ctx, o.window) })
	}
	for i, b := range benches {
		c, during := o.churn, events
		c.Seed = seed + 7 + uint64(i)
		events = func(ctx context.Context) error { return c.During(ctx, b.cluster, during) }
	}
	if err := events(ctx); err != nil {
		return err
	}
	for _, s := range sessions {
		if err := errors.Join(s.Memory(measure.ChurnRSS), s.Proportional(measure.ChurnPSS)); err != nil {
			return err
		}
	}
	return nil
}

// eventRates measures the cost of events of other shards at several rates.
func (b *bench) eventRates(ctx context.Context) error {
	s, err := b.open(ctx, b.exporter, foreignShards, 1, b.byServer)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := fleet.Pause(ctx, b.settle); err != nil {
		return err
	}
	if err := s.Idle(ctx, b.window); err != nil {
		return err
	}
	var runs []fit.Run
	for i, rate := range b.rates {
		c := generator.Churn{StatusUpdatesPerSecond: float64(rate), Seed: seed + 20 + uint64(i)}
		err := c.During(ctx, b.cluster, func(ctx context.Context) error {
			if err := fleet.Pause(ctx, b.window/5); err != nil {
				return err
			}
			return s.Events(ctx, b.window)
		})
		if err != nil {
			return err
		}
		runs = append(runs, runOf(s))
		b.logf("  1 of %d, %d events/s: %.1f us of CPU each", foreignShards, rate, s.Sum()[measure.EventCPU])
	}
	return b.finishRuns(b.name, runs)
}

func (b *bench) finishRuns(name string, runs []fit.Run) error {
	var text strings.Builder
	report.Runs(&text, runs)
	return b.finish(name, text.String(), findings{Runs: runs})
}

// runOf returns the figures to which the cost model is fitted.
func runOf(s *measure.Session) fit.Run {
	const mebi, kilo, mega, micro = 1 << 20, 1e3, 1e6, 1e-6
	f := s.Sum()
	r := fit.Run{
		Pods: len(s.Cluster.Names("pods")), Objects: s.Cluster.Len(), Shards: s.Shards, ServerSharded: s.ByServer,
		SyncCPU: f[measure.SyncCPU], SyncBytes: f[measure.SyncBytes] * mega, Peak: f[measure.Peak] * mebi,
		Memory: f[measure.RestRSS] * mebi, ChurnMemory: f[measure.ChurnRSS] * mebi, Idle: f[measure.IdleCPU] / kilo,
		Series: f[measure.Series], Text: f[measure.Identity+measure.Body] * mega,
		Gzip: f[measure.Unchanged+measure.Body] * mega, ScrapeCPU: f[measure.Unchanged+measure.CPU] / kilo,
		Events: f[measure.Events], CPU: f[measure.EventCPU] * micro * f[measure.Events],
		EventBytes: f[measure.EventBytes] * kilo * f[measure.Events],
	}
	if running := len(s.Figures); running < r.Shards {
		r.Running = running
	}
	return r
}
