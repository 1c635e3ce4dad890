package measure

import (
	"context"
	"slices"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/report"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

// burstLog is the number of bytes of events that are kept while many objects change, so that no exporter
// that is slow to follow has to list again. At other times it is less: these bytes go through the caches
// and the memory that the measured process shares.
const burstLog = 1 << 30

// Sync measures from the start until all replicas are ready and have been at rest for some time.
func (s *Session) Sync(ctx context.Context, atRest time.Duration) error {
	synced, err := s.rest(ctx, atRest)
	if err != nil {
		return err
	}
	for i, u := range synced.usage {
		s.Figures[i][SyncTime] = synced.at.Sub(s.start).Seconds()
		s.Figures[i][SyncCPU] = u.CPU.Seconds()
		s.Figures[i][SyncBytes] = float64(synced.bytes[i]) / mega
		s.Figures[i][Peak] = float64(u.Peak) / mebi
	}
	return nil
}

// Idle waits, and measures the CPU of that: work that is left after the start, and all that runs by itself.
func (s *Session) Idle(ctx context.Context, d time.Duration) error {
	w, err := s.During(func() error { return fleet.Pause(ctx, d) })
	for i, cpu := range w.CPU {
		s.Figures[i][IdleCPU] = cpu * ms / w.Seconds
	}
	return err
}

// Memory reads the resident memory, as RestRSS or ChurnRSS.
func (s *Session) Memory(name string) error {
	now, err := s.read()
	if err != nil {
		return err
	}
	for i, u := range now.usage {
		s.Figures[i][name] = float64(u.Resident) / mebi
	}
	return nil
}

// Proportional reads the proportional memory, as RestPSS or ChurnPSS.
func (s *Session) Proportional(name string) error {
	for i, r := range s.Fleet.Replicas {
		pss, err := r.Proportional()
		if err != nil {
			return err
		}
		s.Figures[i][name] = float64(pss) / mebi
	}
	return nil
}

// Events measures the cost of change in a time without scrapes.
func (s *Session) Events(ctx context.Context, d time.Duration) error {
	w, err := s.During(func() error { return fleet.Pause(ctx, d) })
	for i := range w.CPU {
		s.Figures[i][Events] = w.Events / w.Seconds
		s.Figures[i][EventCPU] = w.CPU[i] / max(w.Events, 1) * 1e6
		s.Figures[i][EventBytes] = w.Bytes[i] / max(w.Events, 1) / 1e3
	}
	return err
}

// Settled measures scrapes between which nothing changes, and the memory after those with gzip. One
// scrape before them does what is left to do since the last change.
func (s *Session) Settled(ctx context.Context, gzip, identity int) error {
	if err := s.quiet(ctx, Unchanged, "gzip", gzip); err != nil {
		return err
	}
	if err := s.Memory(RestRSS); err != nil {
		return err
	}
	if err := s.Proportional(RestPSS); err != nil {
		return err
	}
	return s.quiet(ctx, Identity, "identity", identity)
}

func (s *Session) quiet(ctx context.Context, kind, encoding string, n int) error {
	for i, r := range s.Fleet.Replicas {
		if _, err := r.Scrape(ctx, encoding); err != nil {
			return err
		}
		found, err := scrape(ctx, r, encoding, n, nil)
		if err != nil {
			return err
		}
		found.put(s.Figures[i], kind)
	}
	return nil
}

// Changed measures n scrapes, each after objects have changed and the exporter has come to rest, and the
// cost of the change itself.
func (s *Session) Changed(ctx context.Context, kind string, n int, atRest time.Duration, touch generator.Touch) error {
	s.Cluster.KeepEvents(burstLog)
	defer s.Cluster.KeepEvents(0)
	for i, r := range s.Fleet.Replicas {
		changing := time.Duration(0)
		found, err := scrape(ctx, r, "gzip", n, func() error {
			before, err := r.Usage()
			if err != nil {
				return err
			}
			touch.Seed++
			if _, err := touch.Run(ctx, s.Cluster); err != nil {
				return err
			}
			after, err := s.rest(ctx, atRest)
			if err == nil {
				changing += after.usage[i].CPU - before.CPU
			}
			return err
		})
		if err != nil {
			return err
		}
		found.put(s.Figures[i], kind)
		s.Figures[i][kind+ChangeCPU] = changing.Seconds() * ms / float64(n)
	}
	return nil
}

// ChurnScrapes scrapes every replica at each interval while the cluster changes, after [Session.Events].
// A scrape is charged with its own CPU and with the CPU of the interval beyond the cost of its events:
// work that an exporter puts off until after the scrape, or does ahead.
func (s *Session) ChurnScrapes(ctx context.Context, n int, every time.Duration) error {
	all := make([]scrapes, len(s.Figures))
	w, err := s.During(func() error {
		for range n {
			if err := fleet.Pause(ctx, every); err != nil {
				return err
			}
			for i, r := range s.Fleet.Replicas {
				one, err := scrape(ctx, r, "gzip", 1, nil)
				if err != nil {
					return err
				}
				all[i].times = append(all[i].times, one.times...)
				all[i].cpu += one.cpu
				all[i].last = one.last
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, f := range s.Figures {
		all[i].cpu = max(w.CPU[i]-f[EventCPU]/1e6*w.Events, all[i].cpu)
		all[i].put(f, Churning)
		f[IntervalCPU] = w.CPU[i] * ms / float64(n)
	}
	return nil
}

// scrapes are several of one kind.
type scrapes struct {
	times []time.Duration
	cpu   float64 // seconds, of all together
	last  fleet.Scrape
}

// scrape scrapes n times, each after before has run, whose cost is not counted.
func scrape(ctx context.Context, r *fleet.Replica, encoding string, n int, before func() error) (all scrapes, err error) {
	for range n {
		if before != nil {
			if err := before(); err != nil {
				return all, err
			}
		}
		used, err := r.Usage()
		if err != nil {
			return all, err
		}
		if all.last, err = r.Scrape(ctx, encoding); err != nil {
			return all, err
		}
		now, err := r.Usage()
		if err != nil {
			return all, err
		}
		all.times = append(all.times, all.last.Took)
		all.cpu += (now.CPU - used.CPU).Seconds()
	}
	return all, nil
}

// put notes the figures of scrapes.
func (s scrapes) put(f report.Figures, kind string) {
	sorted := slices.Sorted(slices.Values(s.times))
	f[kind+Least] = quantile(sorted, 0).Seconds() * ms
	f[kind+Median] = quantile(sorted, 0.5).Seconds() * ms
	f[kind+P99] = quantile(sorted, 0.99).Seconds() * ms
	f[kind+CPU] = s.cpu * ms / float64(len(sorted))
	f[kind+Body] = float64(s.last.Bytes) / mega
	if s.last.Series > 0 {
		f[Series] = float64(s.last.Series)
	}
}

// quantile is the nearest rank of a sorted list that is not empty.
func quantile(sorted []time.Duration, q float64) time.Duration {
	rank := int(q*float64(len(sorted)) + 0.999999)
	return sorted[min(max(rank, 1), len(sorted))-1]
}
