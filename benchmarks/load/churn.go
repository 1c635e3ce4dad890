package main

import (
	"context"
	"time"

	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

// churning lets the cluster change while measure runs.
func (s *session) churning(ctx context.Context, c generator.Churn, measure func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		defer cancel() // a churn that fails ends the measurement
		done <- c.Run(ctx, s.cluster)
	}()
	err := measure(ctx)
	cancel()
	if failed := <-done; failed != nil {
		return failed
	}
	return err
}

// churn measures a changing cluster: first until packing, which waits for pages
// to be quiet, is as steady as the change; then without scrapes, for the cost of
// an event; then with scrapes.
func (s *session) churn(ctx context.Context, r *result, scrapes int) error {
	c := generator.Churn{JobsPerSecond: s.jobs, StatusUpdatesPerSecond: s.updates, HeartbeatsPerSecond: s.heartbeats, Tidy: true, Seed: s.seed + 7}
	err := s.churning(ctx, c, func(ctx context.Context) error {
		if err := pause(ctx, s.warm); err != nil {
			return err
		}
		if err := s.events(ctx, r, s.window); err != nil {
			return err
		}
		return s.churnScrapes(ctx, r, scrapes)
	})
	if err != nil {
		return err
	}
	return s.churnMemory(r)
}

func (s *session) churnMemory(r *result) error {
	now, err := s.read()
	if err != nil {
		return err
	}
	for i := range r.PerShard {
		r.PerShard[i].ChurnMiB = float64(now.usage[i].Resident) / mebi
	}
	r.Sum = sum(r.PerShard)
	s.say("  churn: %.0f events/s, %.1f us of CPU an event, %.0f MiB", r.Sum.Churn.EventsPerSecond, r.Sum.Churn.MicrosecondsPerEvent, r.Sum.ChurnMiB)
	return nil
}

// events measures what the change costs in a time without scrapes.
func (s *session) events(ctx context.Context, r *result, window time.Duration) error {
	version := s.cluster.ResourceVersion()
	before, err := s.read()
	if err != nil {
		return err
	}
	if err := pause(ctx, window); err != nil {
		return err
	}
	after, err := s.read()
	if err != nil {
		return err
	}
	events := float64(s.cluster.ResourceVersion() - version)
	for i := range r.PerShard {
		cpu := (after.usage[i].CPU - before.usage[i].CPU).Seconds()
		r.PerShard[i].Churn = &churn{
			ReceivedBytes: float64(after.bytes[i] - before.bytes[i]),
			Events:        events, EventsPerSecond: events / after.at.Sub(before.at).Seconds(),
			CPUSeconds: cpu, MicrosecondsPerEvent: cpu / max(events, 1) * 1e6,
		}
	}
	r.Sum = sum(r.PerShard)
	return nil
}

// churnScrapes scrapes every shard at each interval. A scrape is charged with
// its own CPU and with what the interval took beyond the cost of its events:
// work that an exporter puts off until after the scrape, or does ahead.
func (s *session) churnScrapes(ctx context.Context, r *result, n int) error {
	if n == 0 {
		return nil
	}
	times := make([][]time.Duration, len(r.PerShard))
	scraping := make([]time.Duration, len(r.PerShard))
	bytes := make([]int64, len(r.PerShard))
	version := s.cluster.ResourceVersion()
	before, err := s.read()
	if err != nil {
		return err
	}
	for range n {
		if err := pause(ctx, s.every); err != nil {
			return err
		}
		for i, shard := range s.fleet.Shards {
			one, err := scrapeTimes(ctx, shard, "gzip", 1, nil)
			if err != nil {
				return err
			}
			times[i] = append(times[i], time.Duration(one.MedianSeconds*float64(time.Second)))
			scraping[i] += time.Duration(one.CPUSeconds * float64(time.Second))
			bytes[i] = one.Bytes
		}
	}
	after, err := s.read()
	if err != nil {
		return err
	}
	events := float64(s.cluster.ResourceVersion() - version)
	for i := range r.PerShard {
		c := r.PerShard[i].Churn
		all := after.usage[i].CPU - before.usage[i].CPU
		forEvents := time.Duration(c.MicrosecondsPerEvent * events * float64(time.Microsecond))
		c.Gzip = newScrapes(times[i], max(all-forEvents, scraping[i]))
		c.Gzip.Bytes = bytes[i]
		c.IntervalCPUSeconds = all.Seconds() / float64(n)
	}
	r.Sum = sum(r.PerShard)
	s.say("  under churn: gzip scrape %.0f ms, %.0f ms of CPU", r.Sum.Churn.Gzip.MedianSeconds*1e3, r.Sum.Churn.Gzip.CPUSeconds*1e3)
	return nil
}
