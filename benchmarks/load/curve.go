package main

import (
	"context"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/statefleet/statefleet/benchmarks/fit"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

// fleets are sessions side by side, which wait together: what else happens on
// the machine happens to all. What is timed is done by one after the other, but
// for events, which reach all at the same time.
type fleets struct {
	clusters []*bench
	sessions []*session
	results  []*result
}

// curve measures fleets of several sizes on clusters of several sizes.
func (o options) curve(ctx context.Context, out, progress io.Writer) error {
	f := &fleets{}
	defer f.close()
	if err := f.start(ctx, o, progress); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{f.settled, f.churned} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	r := &findings{Conditions: f.clusters[len(f.clusters)-1].conditions()}
	for i, s := range f.sessions {
		r.Runs = append(r.Runs, s.summary(f.results[i]))
	}
	r.write(out)
	return r.save(o.results, o.name)
}

func (f *fleets) close() {
	for _, s := range f.sessions {
		s.close()
	}
}

// start makes the clusters and starts the fleets, one after the other.
func (f *fleets) start(ctx context.Context, o options, progress io.Writer) error {
	for _, pods := range o.sizes {
		o.pods = pods
		b, err := newBench(o, progress)
		if err != nil {
			return err
		}
		f.clusters = append(f.clusters, b)
		for _, shards := range o.fleets {
			s, err := b.open(ctx, b.exporter(), shards, shards)
			if err != nil {
				return err
			}
			f.sessions = append(f.sessions, s)
			r, err := s.sync(ctx)
			if err != nil {
				return err
			}
			f.results = append(f.results, r)
		}
	}
	return nil
}

// each lets all sessions do something at the same time.
func (f *fleets) each(do func(*session, *result) error) error {
	var all errgroup.Group
	for i, s := range f.sessions {
		all.Go(func() error { return do(s, f.results[i]) })
	}
	return all.Wait()
}

// settled measures memory and scrapes at rest, and then what is used by doing nothing.
func (f *fleets) settled(ctx context.Context) error {
	if err := pause(ctx, f.sessions[0].settle); err != nil {
		return err
	}
	for i, s := range f.sessions {
		if err := s.scraped(ctx, f.results[i], 1); err != nil {
			return err
		}
	}
	return f.each(func(s *session, r *result) error { return s.idle(ctx, r, s.window/2) })
}

// churned measures events, without scrapes.
func (f *fleets) churned(ctx context.Context) error {
	churning, stop := context.WithCancel(ctx)
	var all errgroup.Group
	for i, b := range f.clusters {
		c := generator.Churn{JobsPerSecond: b.jobs, StatusUpdatesPerSecond: b.updates, HeartbeatsPerSecond: b.heartbeats, Tidy: true, Seed: b.seed + 7 + uint64(i)}
		all.Go(func() error { return c.Run(churning, b.cluster) })
	}
	err := pause(ctx, f.sessions[0].warm)
	if err == nil {
		err = f.each(func(s *session, r *result) error { return s.events(ctx, r, s.window) })
	}
	stop()
	if failed := all.Wait(); failed != nil {
		return failed
	}
	if err != nil {
		return err
	}
	for i, s := range f.sessions {
		if err := s.churnMemory(f.results[i]); err != nil {
			return err
		}
	}
	return nil
}

// foreignRates measures what events of others cost, at each rate.
func (b *bench) foreignRates(ctx context.Context) ([]fit.Run, error) {
	s, err := b.open(ctx, b.exporter(), foreignShards, 1)
	if err != nil {
		return nil, err
	}
	defer s.close()
	r, err := s.sync(ctx)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, s.settle); err != nil {
		return nil, err
	}
	if err := s.idle(ctx, r, s.window); err != nil {
		return nil, err
	}
	var runs []fit.Run
	for i, rate := range b.rates {
		c := generator.Churn{StatusUpdatesPerSecond: float64(rate), Seed: b.seed + 20 + uint64(i)}
		err := s.churning(ctx, c, func(ctx context.Context) error {
			if err := pause(ctx, s.window/5); err != nil {
				return err
			}
			return s.events(ctx, r, s.window)
		})
		if err != nil {
			return nil, err
		}
		s.say("  %d of %d, %.0f events/s: %.1f us of CPU each", r.Running, r.Shards, r.Sum.Churn.EventsPerSecond, r.Sum.Churn.MicrosecondsPerEvent)
		runs = append(runs, s.summary(r))
	}
	return runs, nil
}

// summary is what the cost model learns from.
func (s *session) summary(r *result) fit.Run {
	f := r.Sum
	run := fit.Run{
		Pods: len(s.cluster.Names("pods")), Objects: r.Objects, Shards: r.Shards, ServerSharded: s.sharding,
		SyncCPU: f.SyncCPUSeconds, SyncBytes: f.ReceivedBytes, Peak: f.PeakMiB * mebi,
		Memory: f.RestMiB * mebi, ChurnMemory: f.ChurnMiB * mebi, Idle: f.IdleMillis / 1e3,
	}
	if r.Running < r.Shards {
		run.Running = r.Running
	}
	if f.Identity != nil {
		run.Series, run.Text = float64(f.Identity.Series), float64(f.Identity.Bytes)
	}
	if f.Gzip != nil {
		run.Gzip, run.ScrapeCPU = float64(f.Gzip.Bytes), f.Gzip.CPUSeconds
	}
	if c := f.Churn; c != nil {
		window := c.Events / max(c.EventsPerSecond, 1e-9)
		run.Events, run.CPU, run.EventBytes = c.EventsPerSecond, c.CPUSeconds/window, c.ReceivedBytes/window
	}
	return run
}
