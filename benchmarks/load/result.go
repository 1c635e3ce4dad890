package main

import (
	"slices"
	"time"
)

const mebi = 1 << 20

// result is one measured run of an exporter.
type result struct {
	Exporter        string
	Pods, Objects   int
	Shards, Running int // shards that the cluster is divided into, and those that ran
	PerShard        []figures
	// Sum adds up the shards; of times in which they work side by side it has
	// the longest.
	Sum figures
	// ServerCPUSeconds is what the simulated API server took for the first
	// lists, and this program for watching them.
	ServerCPUSeconds float64
}

// figures are what is measured of one shard. What a run leaves out is nil.
type figures struct {
	SyncSeconds    float64 // from the start until it is ready and at rest
	SyncCPUSeconds float64
	ReceivedBytes  float64 // from the API server until then
	PeakMiB        float64 // resident, from the start until then

	IdleMillis float64 `json:",omitempty"` // CPU a second when nothing happens
	RestMiB    float64 `json:",omitempty"` // resident, some time after
	ChurnMiB   float64 `json:",omitempty"` // at the end of the churn

	Gzip       *scrapes `json:",omitempty"` // nothing changed since the last
	Identity   *scrapes `json:",omitempty"`
	OnePercent *scrapes `json:",omitempty"` // gzip, one object in a hundred changed since the last
	Everything *scrapes `json:",omitempty"` // gzip, the status of every object changed since the last
	Replaced   *scrapes `json:",omitempty"` // gzip, every object replaced since the last: every line changed
	Churn      *churn   `json:",omitempty"`
}

// scrapes sums up scrapes of one sort.
type scrapes struct {
	Count                                 int
	MinSeconds, MedianSeconds, P99Seconds float64
	CPUSeconds                            float64 // mean
	Bytes, Series                         int64   // of the last; series of identity only
	// ChangeCPUSeconds is what a change of objects cost before the scrape, if there was one.
	ChangeCPUSeconds float64 `json:",omitempty"`
}

// churn is what a changing cluster costs.
type churn struct {
	Events, EventsPerSecond float64 // of the cluster, in the window without scrapes
	CPUSeconds              float64 // in that window
	ReceivedBytes           float64 // from the API server in that window
	MicrosecondsPerEvent    float64
	// Gzip are scrapes in the window after it, with what the time between them
	// cost beyond what the window without scrapes did.
	Gzip *scrapes `json:",omitempty"`
	// IntervalCPUSeconds is everything from one scrape to the next, events too.
	IntervalCPUSeconds float64 `json:",omitempty"`
}

// newScrapes sums up times of single scrapes; cpu is of all together.
func newScrapes(times []time.Duration, cpu time.Duration) *scrapes {
	s := &scrapes{Count: len(times)}
	if len(times) == 0 {
		return s
	}
	times = slices.Sorted(slices.Values(times))
	s.MinSeconds = times[0].Seconds()
	s.MedianSeconds = quantile(times, 0.5).Seconds()
	s.P99Seconds = quantile(times, 0.99).Seconds()
	s.CPUSeconds = cpu.Seconds() / float64(len(times))
	return s
}

// quantile is the nearest rank of a sorted list that is not empty.
func quantile(sorted []time.Duration, q float64) time.Duration {
	rank := int(q*float64(len(sorted)) + 0.999999)
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// sum adds up shards that worked side by side.
func sum(shards []figures) figures {
	var all figures
	for _, f := range shards {
		all.SyncSeconds = max(all.SyncSeconds, f.SyncSeconds)
		all.SyncCPUSeconds += f.SyncCPUSeconds
		all.ReceivedBytes += f.ReceivedBytes
		all.PeakMiB += f.PeakMiB
		all.IdleMillis += f.IdleMillis
		all.RestMiB += f.RestMiB
		all.ChurnMiB += f.ChurnMiB
		all.Gzip = all.Gzip.with(f.Gzip)
		all.Identity = all.Identity.with(f.Identity)
		all.OnePercent = all.OnePercent.with(f.OnePercent)
		all.Everything = all.Everything.with(f.Everything)
		all.Replaced = all.Replaced.with(f.Replaced)
		all.Churn = all.Churn.with(f.Churn)
	}
	return all
}

func (s *scrapes) with(other *scrapes) *scrapes {
	if s == nil || other == nil {
		return other
	}
	return &scrapes{
		Count:         s.Count + other.Count,
		MinSeconds:    max(s.MinSeconds, other.MinSeconds),
		MedianSeconds: max(s.MedianSeconds, other.MedianSeconds),
		P99Seconds:    max(s.P99Seconds, other.P99Seconds),
		CPUSeconds:    s.CPUSeconds + other.CPUSeconds,
		Bytes:         s.Bytes + other.Bytes,
		Series:        s.Series + other.Series,

		ChangeCPUSeconds: s.ChangeCPUSeconds + other.ChangeCPUSeconds,
	}
}

func (c *churn) with(other *churn) *churn {
	if c == nil || other == nil {
		return other
	}
	return &churn{
		Events:               c.Events,
		EventsPerSecond:      c.EventsPerSecond,
		CPUSeconds:           c.CPUSeconds + other.CPUSeconds,
		ReceivedBytes:        c.ReceivedBytes + other.ReceivedBytes,
		MicrosecondsPerEvent: c.MicrosecondsPerEvent + other.MicrosecondsPerEvent,
		Gzip:                 c.Gzip.with(other.Gzip),
		IntervalCPUSeconds:   c.IntervalCPUSeconds + other.IntervalCPUSeconds,
	}
}

// median is the middle value, or the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
