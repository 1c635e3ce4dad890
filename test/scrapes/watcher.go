package scrapes

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/statefleet/statefleet/benchmarks/exposition"
	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// watcher measures a Prometheus and counts its scrapes.
type watcher struct {
	process *fleet.Replica
	fleet   *fleet.Fleet
	targets []string
	most    uint64 // limit of its resident memory, in bytes

	interval time.Duration // between two scrapes

	times map[string]float64 // when the last counted scrape of each target began
	done  []int              // number of scrapes of each target
	peak  uint64

	took, longest, scrapes float64 // sum in seconds, maximum in seconds, number
}

// reading is the state of a Prometheus.
type reading struct {
	at                                                  time.Time
	cpu                                                 float64 // seconds
	resident, live, allocated, series, created, samples float64
}

// rounds waits until each target was scraped n times in total, and returns a reading of Prometheus after that.
func (w *watcher) rounds(ctx context.Context, n int, timeout time.Duration) (r reading, err error) {
	if w.done == nil {
		w.done = make([]int, len(w.targets))
	}
	for deadline := time.Now().Add(timeout); ; {
		if err := fleet.Pause(ctx, pollInterval); err != nil {
			return r, err
		}
		if err := w.fleet.Ended(); err != nil {
			return r, err
		}
		used, err := w.process.Usage()
		if err != nil {
			if ended := w.process.Ended(); ended != nil {
				err = ended
			}
			return r, err
		}
		w.peak = max(w.peak, used.Resident)
		r.resident = float64(w.peak)
		if used.Resident > w.most {
			return r, tooLarge
		}
		metrics, err := w.process.Metrics(ctx)
		switch {
		case err == nil:
			if err := w.count(metrics); err != nil {
				return r, err
			}
			if slices.Min(w.done) >= n && int(metrics.Value(storedTargets)) >= len(w.targets) {
				return w.settled(ctx)
			}
		case ctx.Err() != nil:
			return r, ctx.Err()
		}
		if time.Now().After(deadline) {
			return r, fmt.Errorf("got %v scrapes of the targets within %s, want %d of each; %w", w.done, timeout, n, err)
		}
	}
}

// settled waits a while before it takes a reading, because Prometheus reports a scrape before it commits the samples.
func (w *watcher) settled(ctx context.Context) (r reading, err error) {
	if err := fleet.Pause(ctx, w.interval/4); err != nil {
		return r, err
	}
	used, err := w.process.Usage()
	if err != nil {
		return r, err
	}
	metrics, err := w.process.Metrics(ctx)
	if err != nil {
		return r, err
	}
	w.peak = max(w.peak, used.Resident)
	return readingOf(metrics, used.CPU, float64(w.peak)), w.count(metrics)
}

// count records scrapes that ended since the last call.
func (w *watcher) count(metrics exposition.Exposition) error {
	for i, name := range w.targets {
		at := metrics.Value(lastScrape, target, name)
		if at == 0 || at == w.times[name] {
			continue
		}
		if metrics.Value(lastSuccess, target, name) != 1 {
			return fmt.Errorf("%w: target %s, after %.3g s:\n%s", failed, name, metrics.Value(lastDuration, target, name), w.process.Log())
		}
		w.times[name] = at
		w.done[i]++
		took := metrics.Value(lastDuration, target, name)
		w.took, w.longest, w.scrapes = w.took+took, max(w.longest, took), w.scrapes+1
	}
	return nil
}

func readingOf(metrics exposition.Exposition, cpu time.Duration, resident float64) reading {
	return reading{
		at: time.Now(), cpu: cpu.Seconds(), resident: resident,
		live: metrics.Value("go_gc_heap_live_bytes"), allocated: metrics.Value("go_gc_heap_allocs_bytes_total"),
		series: metrics.Value("prometheus_tsdb_head_series"), created: metrics.Value("prometheus_tsdb_head_series_created_total"),
		samples: metrics.Value(storedSamples),
	}
}
