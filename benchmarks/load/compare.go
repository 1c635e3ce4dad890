package main

import (
	"context"
)

// comparison has the rounds of both exporters.
type comparison struct {
	Own, Other []*result
}

// compare measures two exporters by turns, so that what else happens on the
// machine happens to both.
func (b *bench) compare(ctx context.Context, other exporter) (*comparison, error) {
	c := &comparison{}
	for range b.rounds {
		for _, e := range []struct {
			exporter
			to *[]*result
		}{{b.exporter(), &c.Own}, {other, &c.Other}} {
			r, err := b.with(ctx, e.exporter, b.shards, b.running(), b.all(ctx)...)
			if err != nil {
				return nil, err
			}
			*e.to = append(*e.to, r)
		}
	}
	return c, nil
}

// measure is one number of a fleet.
type measure struct {
	name, unit string
	of         func(figures) (float64, bool)
}

// measures are all that a run finds, in the order of tables.
func measures() []measure {
	plain := func(of func(figures) float64) func(figures) (float64, bool) {
		return func(f figures) (float64, bool) { v := of(f); return v, v > 0 }
	}
	list := []measure{
		{"sync", "s", plain(func(f figures) float64 { return f.SyncSeconds })},
		{"sync, CPU", "CPU-s", plain(func(f figures) float64 { return f.SyncCPUSeconds })},
		{"bytes from the API server until then", "MB", plain(func(f figures) float64 { return f.ReceivedBytes / 1e6 })},
		{"resident memory, peak until then", "MiB", plain(func(f figures) float64 { return f.PeakMiB })},
		{"CPU a second, left alone", "ms", plain(func(f figures) float64 { return f.IdleMillis })},
		{"resident memory, at rest", "MiB", plain(func(f figures) float64 { return f.RestMiB })},
		{"resident memory, end of churn", "MiB", plain(func(f figures) float64 { return f.ChurnMiB })},
	}
	for _, s := range []struct {
		name string
		of   func(figures) *scrapes
	}{
		{"gzip scrape, nothing changed", func(f figures) *scrapes { return f.Gzip }},
		{"gzip scrape, 1 % changed", func(f figures) *scrapes { return f.OnePercent }},
		{"gzip scrape, every status changed", func(f figures) *scrapes { return f.Everything }},
		{"gzip scrape, every object replaced", func(f figures) *scrapes { return f.Replaced }},
		{"gzip scrape, churn", func(f figures) *scrapes { return f.Churn.scrapes() }},
		{"identity scrape", func(f figures) *scrapes { return f.Identity }},
	} {
		of := func(field func(*scrapes) float64) func(figures) (float64, bool) {
			return func(f figures) (float64, bool) {
				found := s.of(f)
				if found == nil {
					return 0, false
				}
				v := field(found)
				return v, v > 0
			}
		}
		list = append(list,
			measure{s.name + ", min", "ms", of(func(s *scrapes) float64 { return s.MinSeconds * 1e3 })},
			measure{s.name + ", median", "ms", of(func(s *scrapes) float64 { return s.MedianSeconds * 1e3 })},
			measure{s.name + ", p99", "ms", of(func(s *scrapes) float64 { return s.P99Seconds * 1e3 })},
			measure{s.name + ", CPU", "ms", of(func(s *scrapes) float64 { return s.CPUSeconds * 1e3 })},
			measure{s.name + ", body", "MB", of(func(s *scrapes) float64 { return float64(s.Bytes) / 1e6 })},
			measure{s.name + ", CPU of the change", "ms", of(func(s *scrapes) float64 { return s.ChangeCPUSeconds * 1e3 })},
		)
	}
	churning := func(of func(*churn) float64) func(figures) (float64, bool) {
		return func(f figures) (float64, bool) {
			if f.Churn == nil {
				return 0, false
			}
			return of(f.Churn), of(f.Churn) > 0
		}
	}
	return append(list,
		measure{"series", "", func(f figures) (float64, bool) {
			if f.Identity == nil {
				return 0, false
			}
			return float64(f.Identity.Series), true
		}},
		measure{"events of the cluster", "/s", churning(func(c *churn) float64 { return c.EventsPerSecond })},
		measure{"CPU for an event of the cluster", "us", churning(func(c *churn) float64 { return c.MicrosecondsPerEvent })},
		measure{"bytes from the API server for an event of the cluster", "kB", churning(func(c *churn) float64 { return c.ReceivedBytes / max(c.Events, 1) / 1e3 })},
		measure{"all CPU from one scrape to the next, churn", "ms", churning(func(c *churn) float64 { return c.IntervalCPUSeconds * 1e3 })},
	)
}

// scrapes are those under churn, if there were any.
func (c *churn) scrapes() *scrapes {
	if c == nil {
		return nil
	}
	return c.Gzip
}

// medianOf is the median of a measure over several runs; ok is false when one
// of them does not have it.
func medianOf(runs []*result, m measure) (value float64, ok bool) {
	var values []float64
	for _, r := range runs {
		v, ok := m.of(r.Sum)
		if !ok {
			return 0, false
		}
		values = append(values, v)
	}
	return median(values), len(values) > 0
}
