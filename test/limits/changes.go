package limits

import (
	"context"
	"fmt"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
	"github.com/statefleet/statefleet/benchmarks/report"
	"github.com/statefleet/statefleet/benchmarks/selfmetrics"
)

// scaling scales the fleet up and down again.
func (s *site) scaling(ctx context.Context) error {
	if err := s.openAudits(); err != nil {
		return err
	}
	for _, n := range []int{s.to, s.replicas} {
		if err := s.scaleAudited(ctx, n); err != nil {
			return fmt.Errorf("to %d replicas: %w", n, err)
		}
	}
	return nil
}

// scaleAudited changes the number of replicas. The cost of the fleet under the same audit without a change is subtracted.
func (s *site) scaleAudited(ctx context.Context, n int) error {
	from := len(s.fleet.Replicas)
	s.audits.begin(s)
	usual, err := s.during(ctx, func() error { return fleet.Pause(ctx, s.hold) })
	if err != nil {
		return err
	}
	var took time.Duration
	w, err := s.during(ctx, func() (err error) {
		took, err = s.scale(ctx, n)
		return err
	})
	if err != nil {
		return err
	}
	if err := fleet.Pause(ctx, s.hold); err != nil {
		return err
	}
	after, err := s.read()
	if err != nil {
		return err
	}
	change := fmt.Sprintf("%d -> %d", from, n)
	s.audits.end(s, change)
	head := change + ": "
	cpu, bytes := w.beyond(usual)
	s.add(head+"time until all serve by the new number", "s", took.Seconds())
	s.add(head+"additional CPU", "CPU-s", cpu)
	s.add(head+"additional bytes from the API server", "MB", bytes/mega)
	s.add(head+"resident memory before", "MiB", w.before/mebi)
	s.add(head+"resident memory, most", "MiB", w.most/mebi)
	s.add(fmt.Sprintf("%sresident memory %.0f s after it", head, s.hold.Seconds()), "MiB", float64(after.resident)/mebi)
	s.say("%sin %.1f s, %.1f CPU-s, %.0f MB, %.0f to %.0f MiB", head, took.Seconds(), cpu, bytes/mega,
		w.before/mebi, w.most/mebi)
	return nil
}

// scale changes the number of replicas as "kubectl scale" does, and returns the time until all serve by the new one.
// Then it waits until those that leave have ended.
func (s *site) scale(ctx context.Context, n int) (took time.Duration, err error) {
	began := time.Now()
	if err := s.install.Scale(n); err != nil {
		return 0, err
	}
	if err := s.fleet.Resize(n); err != nil {
		return 0, err
	}
	s.track()
	if err := s.servesBy(ctx, n); err != nil {
		return 0, err
	}
	took = time.Since(began)
	s.fleet.WaitLeft()
	return took, s.install.RemovePods(n)
}

// servesBy waits until all replicas are ready and serve by n shards.
func (s *site) servesBy(ctx context.Context, n int) error {
	return s.fleet.Until(ctx, patience, fmt.Sprintf("%d replicas serve", n), func(ctx context.Context) error {
		if err := fleet.Pause(ctx, statusGap); err != nil {
			return err
		}
		for i, r := range s.fleet.Replicas {
			self, err := r.SelfMetrics(ctx)
			if err != nil {
				return err
			}
			ready, active := self.Value(selfmetrics.Ready), self.Value(selfmetrics.ActiveShards)
			if changing := self.Value(selfmetrics.Changing); ready != 1 || int(active) != n || changing != 0 {
				return fmt.Errorf("replica %d: ready %v, serves by %v shards, changing %v", i, ready, active, changing)
			}
		}
		return nil
	})
}

// restarts rolls the fleet twice: cold, to replicas that save their states, and then warm, from these states.
func (s *site) restarts(ctx context.Context) error {
	if err := s.openAudits(); err != nil {
		return err
	}
	if err := s.servesBy(ctx, len(s.fleet.Replicas)); err != nil {
		return err
	}
	s.fleet.Run(s.command(s.statesSaved()))
	one := s.costs.Replica(s.load(s.costs, 0), len(s.fleet.Replicas))
	if err := s.roll(ctx, "cold", one.StartCPU.Seconds(), one.StartBytes/mega); err != nil {
		return err
	}
	return s.roll(ctx, "warm", 0, 0)
}

// roll replaces all replicas one after the other, each when the one before is ready, from the last to the first.
func (s *site) roll(ctx context.Context, name string, estimatedCPU, estimatedBytes float64) error {
	s.audits.begin(s)
	var ready, cpu, sent, most []float64
	w, err := s.during(ctx, func() error {
		for i := len(s.fleet.Replicas) - 1; i >= 0; i-- {
			before, began := s.sent(i), time.Time{}
			err := s.fleet.Replace(i, func() error {
				began = time.Now()
				return s.install.Replace(i)
			})
			if err != nil {
				return err
			}
			s.track()
			r := s.fleet.Replicas[i]
			if err := s.fleet.WaitReady(ctx, patience); err != nil {
				return err
			}
			used, err := r.Usage()
			if err != nil {
				return err
			}
			ready, cpu = append(ready, time.Since(began).Seconds()), append(cpu, used.CPU.Seconds())
			sent, most = append(sent, float64(s.sent(i)-before)/mega), append(most, float64(used.Peak)/mebi)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := fleet.Pause(ctx, s.hold); err != nil {
		return err
	}
	change := "rolling restart, " + name
	s.audits.end(s, change)
	head := change + ": "
	s.add(head+"time for all", "s", w.seconds)
	s.add(head+"time until one is ready", "s", report.Median(ready))
	s.compare(head+"CPU of one until then", "CPU-s", report.Median(cpu), estimatedCPU)
	s.compare(head+"from the API server to one until then", "MB", report.Median(sent), estimatedBytes)
	s.add(head+"resident memory of one, peak until then", "MiB", report.Median(most))
	s.say("%s%.1f s, one %.1f s, %.2f CPU-s, %.1f MB", head, w.seconds, report.Median(ready), report.Median(cpu),
		report.Median(sent))
	return nil
}
