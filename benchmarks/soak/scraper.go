package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/statefleet/statefleet/benchmarks/fleet"
)

// scrapeEvery is the time between two scrapes of a replica.
const scrapeEvery = 5 * time.Second

// scraper scrapes every replica as Prometheus does.
type scraper struct {
	fleet   *fleet.Fleet
	cancel  context.CancelFunc
	running sync.WaitGroup

	away atomic.Bool // the last replica is none of the fleet's, and has nothing to answer

	mu     sync.Mutex
	done   int
	failed []error
}

func startScraper(ctx context.Context, f *fleet.Fleet) *scraper {
	s := &scraper{fleet: f}
	ctx, s.cancel = context.WithCancel(ctx)
	for i, shard := range f.Shards {
		s.running.Go(func() { s.scrape(ctx, shard, i == len(f.Shards)-1) })
	}
	return s
}

func (s *scraper) scrape(ctx context.Context, shard *fleet.Shard, last bool) {
	tick := time.NewTicker(scrapeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if last && s.away.Load() {
			continue
		}
		_, err := shard.Scrape(ctx, "gzip")
		s.mu.Lock()
		if err == nil {
			s.done++
		} else if ctx.Err() == nil && (!last || !s.away.Load()) {
			s.failed = append(s.failed, err)
		}
		s.mu.Unlock()
	}
}

// stop ends it and says whether a scrape went without its answer.
func (s *scraper) stop() error {
	s.cancel()
	s.running.Wait()
	if len(s.failed) > 0 {
		return fmt.Errorf("%d scrapes failed and %d did not; the first: %w", len(s.failed), s.done, s.failed[0])
	}
	return nil
}
