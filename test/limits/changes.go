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
func (s *setup) scaling(ctx context.Context) error {
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

// scaleAudited changes the number of replicas. It subtracts what the fleet costs under the same audit without a change.
func (s *setup) scaleAudited(ctx context.Context, n int) error {
	from := len(s.fleet.Replicas)
	s.audits.begin(s)
	baseline, err := s.during(ctx, func() error { return fleet.Pause(ctx, s.hold) })
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
	cpu, bytes := w.excess(baseline)
	s.add(head+"time until all serve by the new number", "s", took.Seconds())
	s.add(head+"additional CPU", "CPU-s", cpu)
	s.add(head+"additional bytes from the API server", "MB", bytes/mega)
	s.add(head+"resident memory before", "MiB", w.before/mebi)
	s.add(head+"resident memory, most", "MiB", w.peak/mebi)
	s.add(fmt.Sprintf("%sresident memory %.0f s after it", head, s.hold.Seconds()), "MiB", float64(after.resident)/mebi)
	s.printf("%sin %.1f s, %.1f CPU-s, %.0f MB, %.0f to %.0f MiB", head, took.Seconds(), cpu, bytes/mega,
		w.before/mebi, w.peak/mebi)
	return nil
}

// scale changes the number of replicas as "kubectl scale" does. It measures the time until all replicas serve by the
// new number, and returns when the removed replicas have ended.
func (s *setup) scale(ctx context.Context, n int) (took time.Duration, err error) {
	began := time.Now()
	if err := s.install.Scale(n); err != nil {
		return 0, err
	}
	if err := s.fleet.Resize(n); err != nil {
		return 0, err
	}
	s.track()
	if err := s.waitServing(ctx, n); err != nil {
		return 0, err
	}
	took = time.Since(began)
	s.fleet.WaitLeft()
	return took, s.install.RemovePods(n)
}

// waitServing waits until all replicas are ready and serve by n shards.
func (s *setup) waitServing(ctx context.Context, n int) error {
	return s.fleet.Until(ctx, changeTimeout, fmt.Sprintf("%d replicas serve", n), func(ctx context.Context) error {
		if err := fleet.Pause(ctx, statusInterval); err != nil {
			return err
		}
		for i, r := range s.fleet.Replicas {
			self, err := r.SelfMetrics(ctx)
			if err != nil {
				return err
			}
			ready, active := self.Value(selfmetrics.Ready), self.Value(selfmetrics.ActiveShards)
			if changing := self.Value(selfmetrics.Changing); ready != 1 || int(active) != n || changing != 0 {
				return fmt.Errorf("replica %d: got ready %v, %v active shards, transition %v; want 1, %d, 0",
					i, ready, active, changing, n)
			}
		}
		return nil
	})
}

// restarts replaces all replicas twice: first without saved states, with replicas that save theirs, and then with these
// saved states.
func (s *setup) restarts(ctx context.Context) error {
	if err := s.openAudits(); err != nil {
		return err
	}
	if err := s.waitServing(ctx, len(s.fleet.Replicas)); err != nil {
		return err
	}
	s.fleet.Run(s.command(s.snapshotFlag()))
	one := s.costs.Replica(s.load(s.costs, 0), len(s.fleet.Replicas))
	if err := s.roll(ctx, "cold", one.StartCPU.Seconds(), one.StartBytes/mega); err != nil {
		return err
	}
	return s.roll(ctx, "warm", 0, 0)
}

// roll replaces all replicas, from the last to the first. It replaces each one when the one before is ready.
func (s *setup) roll(ctx context.Context, name string, estimatedCPU, estimatedBytes float64) error {
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
			if err := s.fleet.WaitReady(ctx, changeTimeout); err != nil {
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
	s.printf("%s%.1f s, one %.1f s, %.2f CPU-s, %.1f MB", head, w.seconds, report.Median(ready), report.Median(cpu),
		report.Median(sent))
	return nil
}
