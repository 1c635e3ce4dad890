package main

import (
	"context"
	"sync"
	"time"

	"github.com/statefleet/statefleet/internal/replica"
)

const (
	// censusLasts is how long what was counted is good enough.
	censusLasts = time.Minute
	// emptyLasts is how long it is when there was nothing: then it costs nothing, and a replica that has just become ready
	// should not be shown without series for a minute.
	emptyLasts = 2 * time.Second
)

// census counts what is served when someone wants to know, at most once in a while. No one waits for it.
type census struct {
	take  func(context.Context) (replica.CardinalityReport, error)
	asked chan struct{}

	mu      sync.Mutex
	last    *replica.CardinalityReport // nil: none yet
	running bool
}

// latest returns what was counted last, nil when nothing was, and whether it is counted again, which it asks for when it is time.
func (c *census) latest(now time.Time) (last *replica.CardinalityReport, running bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.running && (c.last == nil || now.Sub(c.last.At) >= c.last.Took+lasts(c.last)) {
		select {
		case c.asked <- struct{}{}:
		default:
		}
	}
	return c.last, c.running
}

func lasts(c *replica.CardinalityReport) time.Duration {
	if c.All.Series == 0 {
		return emptyLasts
	}
	return censusLasts
}

// run counts when it is asked to, until ctx ends.
func (c *census) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.asked:
		}
		c.set(nil, true)
		counted, err := c.take(ctx)
		if err != nil { // ctx has ended
			return
		}
		c.set(&counted, false)
	}
}

func (c *census) set(counted *replica.CardinalityReport, running bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = running
	if counted != nil {
		c.last = counted
	}
}
