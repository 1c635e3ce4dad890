package main

import (
	"context"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

// settled measures a fleet that has been left alone for a while: its scrapes,
// and its memory once it has been scraped as Prometheus does.
func (s *session) settled(ctx context.Context, r *result) error {
	if err := s.idle(ctx, r, s.settle); err != nil {
		return err
	}
	return s.scraped(ctx, r, max(1, s.scrapes/4))
}

// scraped measures scrapes between which nothing changes, and the memory that an
// exporter has then.
func (s *session) scraped(ctx context.Context, r *result, identity int) error {
	if err := s.quiet(ctx, r, "gzip", s.scrapes, func(f *figures) **scrapes { return &f.Gzip }); err != nil {
		return err
	}
	now, err := s.read()
	if err != nil {
		return err
	}
	for i := range r.PerShard {
		r.PerShard[i].RestMiB = float64(now.usage[i].Resident) / mebi
	}
	if err := s.quiet(ctx, r, "identity", identity, func(f *figures) **scrapes { return &f.Identity }); err != nil {
		return err
	}
	s.say("  at rest %.0f MiB; gzip scrape %.1f ms, %.1f ms of CPU, %.1f MB", r.Sum.RestMiB,
		r.Sum.Gzip.MedianSeconds*1e3, r.Sum.Gzip.CPUSeconds*1e3, float64(r.Sum.Gzip.Bytes)/1e6)
	return nil
}

// idle waits, and measures what that costs: what is left to do after the start,
// and whatever else runs by itself.
func (s *session) idle(ctx context.Context, r *result, d time.Duration) error {
	before, err := s.read()
	if err != nil {
		return err
	}
	if err := pause(ctx, d); err != nil {
		return err
	}
	after, err := s.read()
	if err != nil {
		return err
	}
	for i := range r.PerShard {
		cpu := after.usage[i].CPU - before.usage[i].CPU
		r.PerShard[i].IdleMillis = cpu.Seconds() * 1e3 / max(after.at.Sub(before.at).Seconds(), 1e-3)
	}
	r.Sum = sum(r.PerShard)
	return nil
}

// quiet measures scrapes between which nothing changes. One before them does
// what is left to do since the last change.
func (s *session) quiet(ctx context.Context, r *result, encoding string, n int, to func(*figures) **scrapes) error {
	for i, shard := range s.fleet.Shards {
		if _, err := shard.Scrape(ctx, encoding); err != nil {
			return err
		}
		found, err := scrapeTimes(ctx, shard, encoding, n, nil)
		if err != nil {
			return err
		}
		*to(&r.PerShard[i]) = found
	}
	r.Sum = sum(r.PerShard)
	return nil
}

// scrapeTimes scrapes n times, each after before has run; what that costs
// is not counted in.
func scrapeTimes(ctx context.Context, shard *fleet.Shard, encoding string, n int, before func() error) (*scrapes, error) {
	var times []time.Duration
	var cpu time.Duration
	var last fleet.Scrape
	used, err := shard.Usage()
	if err != nil {
		return nil, err
	}
	for range n {
		if before != nil {
			if err := before(); err != nil {
				return nil, err
			}
			if used, err = shard.Usage(); err != nil {
				return nil, err
			}
		}
		if last, err = shard.Scrape(ctx, encoding); err != nil {
			return nil, err
		}
		times = append(times, last.Took)
		now, err := shard.Usage()
		if err != nil {
			return nil, err
		}
		cpu += now.CPU - used.CPU
		used = now
	}
	all := newScrapes(times, cpu)
	all.Bytes, all.Series = last.Bytes, last.Series
	return all, nil
}

// changed measures scrapes after objects have changed and the exporter has come
// to rest, and what the change itself cost it.
func (s *session) changed(ctx context.Context, r *result, what string, touch generator.Touch, n int, to func(*figures) **scrapes) error {
	s.cluster.KeepEvents(burstLog)
	defer s.cluster.KeepEvents(0)
	touch.PerSecond = s.touchRate
	for i, shard := range s.fleet.Shards {
		var changing time.Duration
		found, err := scrapeTimes(ctx, shard, "gzip", n, func() error {
			before, err := shard.Usage()
			if err != nil {
				return err
			}
			s.touches++
			touch.Seed = s.touches
			if _, err := touch.Run(ctx, s.cluster); err != nil {
				return err
			}
			after, err := s.rest(ctx)
			if err != nil {
				return err
			}
			changing += after.usage[i].CPU - before.CPU
			return nil
		})
		if err != nil {
			return err
		}
		found.ChangeCPUSeconds = changing.Seconds() / float64(n)
		*to(&r.PerShard[i]) = found
	}
	r.Sum = sum(r.PerShard)
	all := *to(&r.Sum)
	s.say("  %s: gzip scrape %.0f ms, %.0f ms of CPU, after %.2f CPU-s for the change", what, all.MedianSeconds*1e3, all.CPUSeconds*1e3, all.ChangeCPUSeconds)
	return nil
}
