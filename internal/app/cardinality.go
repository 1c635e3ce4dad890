package app

import (
	"context"
	"sync"
	"time"

	"github.com/statefleet/statefleet/internal/replica"
)

const (
	// cardinalityTTL is how long a report stays current.
	cardinalityTTL = time.Minute
	// emptyTTL is that of a report without series, which costs nothing: a replica that has just become ready should not be
	// shown without series for a minute.
	emptyTTL = 2 * time.Second
)

// cardinalityCache counts series on demand and in the background. The latest report is always available at once.
type cardinalityCache struct {
	count  func(context.Context) (replica.CardinalityReport, error)
	demand chan struct{}

	mu      sync.Mutex
	report  *replica.CardinalityReport // nil: none yet
	running bool
}

func newCardinalityCache(count func(context.Context) (replica.CardinalityReport, error)) *cardinalityCache {
	return &cardinalityCache{count: count, demand: make(chan struct{}, 1)}
}

// latest returns the latest report, nil before the first, and whether the next one is in progress. It demands one if the latest
// is too old.
func (c *cardinalityCache) latest(now time.Time) (report *replica.CardinalityReport, running bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ttl := cardinalityTTL
	if c.report != nil && c.report.All.Series == 0 {
		ttl = emptyTTL
	}
	if !c.running && (c.report == nil || now.Sub(c.report.At) >= c.report.Took+ttl) {
		select {
		case c.demand <- struct{}{}:
		default:
		}
	}
	return c.report, c.running
}

// run makes reports on demand until ctx ends.
func (c *cardinalityCache) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.demand:
		}
		c.mu.Lock()
		c.running = true
		c.mu.Unlock()
		report, err := c.count(ctx)
		if err != nil { // ctx has ended
			return
		}
		c.mu.Lock()
		c.report, c.running = &report, false
		c.mu.Unlock()
	}
}
