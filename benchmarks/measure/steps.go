package measure

import (
	"context"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/report"
	"github.com/statefleet/statefleet/benchmarks/simulator/generator"
)

// burstLog is the number of bytes of events that the cluster keeps while many objects change, so that a slow
// exporter does not have to list again. At other times the cluster keeps less, because these bytes occupy
// caches and memory that it shares with the measured process.
const burstLog = 1 << 30

// Sync waits until all replicas are ready and have been idle for atRest, and measures the time from the start until
// they became idle.
func (s *Session) Sync(ctx context.Context, atRest time.Duration) error {
	synced, err := s.waitIdle(ctx, atRest)
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

// Idle measures the CPU for d without events: periodic work, and work that remains from the start.
func (s *Session) Idle(ctx context.Context, d time.Duration) error {
	w, err := s.During(func() error { return fleet.Pause(ctx, d) })
	for i, cpu := range w.CPU {
		s.Figures[i][IdleCPU] = cpu * ms / w.Seconds
	}
	return err
}

// Memory measures the resident memory. The name is RestRSS or ChurnRSS.
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

// Proportional measures the proportional memory. The name is RestPSS or ChurnPSS.
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

// Events measures the cost of the changes of the cluster within d, without scrapes.
func (s *Session) Events(ctx context.Context, d time.Duration) error {
	w, err := s.During(func() error { return fleet.Pause(ctx, d) })
	for i := range w.CPU {
		s.Figures[i][Events] = w.Events / w.Seconds
		s.Figures[i][EventCPU] = w.CPU[i] / max(w.Events, 1) * 1e6
		s.Figures[i][EventBytes] = w.Bytes[i] / max(w.Events, 1) / 1e3
	}
	return err
}

// Settled measures scrapes between which nothing changes, and the memory after the gzip scrapes. It sends one
// scrape in advance, so that work that remains from the last change is not measured.
func (s *Session) Settled(ctx context.Context, gzip, identity int) error {
	if err := s.scrapeUnchanged(ctx, Unchanged, "gzip", gzip); err != nil {
		return err
	}
	if err := s.Memory(RestRSS); err != nil {
		return err
	}
	if err := s.Proportional(RestPSS); err != nil {
		return err
	}
	return s.scrapeUnchanged(ctx, Identity, "identity", identity)
}

func (s *Session) scrapeUnchanged(ctx context.Context, kind, encoding string, n int) error {
	for i, r := range s.Fleet.Replicas {
		if _, err := r.Scrape(ctx, encoding); err != nil {
			return err
		}
		var found scrapes
		for range n {
			if err := found.scrape(ctx, r, encoding); err != nil {
				return err
			}
		}
		found.put(s.Figures[i], kind)
	}
	return nil
}

// Changed measures n scrapes, each after objects have changed and the exporter is idle again, and the cost of
// the changes themselves.
func (s *Session) Changed(ctx context.Context, kind string, n int, atRest time.Duration, touch generator.Touch) error {
	s.Cluster.KeepEvents(burstLog)
	defer s.Cluster.KeepEvents(0)
	for i, r := range s.Fleet.Replicas {
		var found scrapes
		changing := time.Duration(0)
		for range n {
			before, err := r.Usage()
			if err != nil {
				return err
			}
			touch.Seed++
			if _, err := touch.Run(ctx, s.Cluster); err != nil {
				return err
			}
			after, err := s.waitIdle(ctx, atRest)
			if err != nil {
				return err
			}
			changing += after.usage[i].CPU - before.CPU
			if err := found.scrape(ctx, r, "gzip"); err != nil {
				return err
			}
		}
		found.put(s.Figures[i], kind)
		s.Figures[i][kind+ChangeCPU] = changing.Seconds() * ms / float64(n)
	}
	return nil
}

// ChurnScrapes scrapes every replica n times, once per interval, while the cluster changes. The CPU of a scrape
// is the CPU of the interval without the cost of its events, because an exporter may do work for a scrape
// before or after it; it is at least the CPU during the scrape. Call [Session.Events] first, which measures
// the cost of an event.
func (s *Session) ChurnScrapes(ctx context.Context, n int, every time.Duration) error {
	all := make([]scrapes, len(s.Figures))
	w, err := s.During(func() error {
		for range n {
			if err := fleet.Pause(ctx, every); err != nil {
				return err
			}
			for i, r := range s.Fleet.Replicas {
				if err := all[i].scrape(ctx, r, "gzip"); err != nil {
					return err
				}
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
	}
	return nil
}

// scrapes holds the measurements of scrapes of one kind.
type scrapes struct {
	times []float64 // ms
	cpu   float64   // seconds, sum of all scrapes
	last  fleet.Scrape
}

// scrape measures one more scrape.
func (s *scrapes) scrape(ctx context.Context, r *fleet.Replica, encoding string) error {
	before, err := r.Usage()
	if err != nil {
		return err
	}
	if s.last, err = r.Scrape(ctx, encoding); err != nil {
		return err
	}
	after, err := r.Usage()
	if err != nil {
		return err
	}
	s.times = append(s.times, s.last.Took.Seconds()*ms)
	s.cpu += (after.CPU - before.CPU).Seconds()
	return nil
}

// put sets the figures of a kind of scrapes.
func (s *scrapes) put(f report.Figures, kind string) {
	f[kind+Median] = report.Median(s.times)
	f[kind+CPU] = s.cpu * ms / float64(len(s.times))
	f[kind+Body] = float64(s.last.Bytes) / mega
	if s.last.Series > 0 {
		f[Series] = float64(s.last.Series)
	}
}
