package watch

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// CheckGrace is how long an event may be on its way: what differs in a list and
// still does after that is wrong.
const CheckGrace = 30 * time.Second

// CheckOptions say how often a Checked compares its objects with a list.
type CheckOptions struct {
	// Every is the time between two checks on average, see Spread; 0 means that there
	// are none.
	Every time.Duration
	// Idle, unless it is nil, reports whether checks are left out for now.
	Idle func() bool
	// Grace is how long an event may be on its way then; 0 means CheckGrace.
	Grace time.Duration
	// Counters count; they may be left out if there are no checks.
	Counters CheckCounters
}

// CheckCounters count checks by their result, and what they found.
type CheckCounters struct {
	Equal     prometheus.Counter
	Repaired  prometheus.Counter // the resource is listed again
	Restarted prometheus.Counter // the same, and its versions began again
	Skipped   prometheus.Counter // the resource is not synced, or answers contradict one another
	Failed    prometheus.Counter // the list was not complete

	Missing, Surplus prometheus.Counter // objects
}

// Checked follows a resource as a Reflector does, and compares what that has brought
// with a list from time to time. When they differ for longer than an event
// may be on its way, or when the versions of the API server have gone back, as
// those of a restored backup do, everything is listed again by another Reflector, for
// the same Handler. It is for a resource that has no namespaces, and objects few enough
// for the names of all to be remembered, and for the Handler to have room for all. Make
// one with NewChecked.
type Checked struct {
	options  Options
	checks   CheckOptions
	soon     chan struct{} // see CheckSoon
	relisted atomic.Bool   // it was complete before it was listed again
	current  atomic.Pointer[attempt]
}

// attempt is one Reflector of a Checked, and what is known of what it has brought.
type attempt struct {
	reflector *Reflector
	held      *ledger
}

// NewChecked returns a Checked that starts with Run.
func NewChecked(o Options, checks CheckOptions) *Checked {
	if checks.Grace == 0 {
		checks.Grace = CheckGrace
	}
	c := &Checked{options: o, checks: checks, soon: make(chan struct{}, 1)}
	c.begin()
	return c
}

func (c *Checked) begin() {
	o := c.options
	held := &ledger{Handler: o.Handler, versions: map[string]uint64{}}
	o.Handler = held
	c.current.Store(&attempt{New(o), held})
}

// Run follows the resource until ctx ends; nothing reaches the Handler after it has
// returned. It is called once.
func (c *Checked) Run(ctx context.Context) {
	for c.follow(ctx, c.current.Load()) {
		c.options.AllowStaleList = false // what was compared was not from a cache either
		c.relisted.Store(true)
		c.begin()
	}
}

// Status returns the status of the Reflector. It may be called at any time.
func (c *Checked) Status() Status {
	st := c.current.Load().reflector.Status()
	st.Synced = st.Synced || c.relisted.Load()
	return st
}

// follow runs a Reflector until ctx ends, or until everything must be listed again.
func (c *Checked) follow(ctx context.Context, a *attempt) (relist bool) {
	if c.checks.Every <= 0 {
		a.reflector.Run(ctx)
		return false
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { a.reflector.Run(ctx) })
	defer running.Wait()
	defer cancel()
	for c.wait(ctx) {
		result, relist := c.check(ctx, a)
		if ctx.Err() != nil {
			return false
		}
		result.Inc()
		if relist {
			return true
		}
	}
	return false
}

// CheckSoon makes the next check at once, for callers that expect it to find something. It does not wait.
func (c *Checked) CheckSoon() {
	select {
	case c.soon <- struct{}{}:
	default:
	}
}

// wait waits for the next check, and reports whether ctx goes on.
func (c *Checked) wait(ctx context.Context) bool {
	t := time.NewTimer(Spread(c.checks.Every))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-c.soon:
	case <-t.C:
	}
	return true
}

// check compares the objects with a list, twice if they differ, and reports whether everything
// must be listed again.
func (c *Checked) check(ctx context.Context, a *attempt) (result prometheus.Counter, relist bool) {
	n, logger := c.checks.Counters, a.reflector.logger
	if c.checks.Idle != nil && c.checks.Idle() || a.reflector.Status().Phase != Synced {
		return n.Skipped, false
	}
	var again differences
	first, err := a.compare(ctx)
	if err == nil && first.none() {
		return n.Equal, false
	}
	if err == nil && Sleep(ctx, c.checks.Grace) {
		again, err = a.compare(ctx)
	}
	missing, surplus := again.since(first)
	switch {
	case err != nil:
		logger.Warn("consistency check failed", "err", err)
		return n.Failed, false
	case first.older && again.older: // one answer may be that of a server that is confused
		logger.Warn("resource versions of the API server have gone back, as after a restored backup; relisting the resource")
		return n.Restarted, true
	case missing+surplus > 0:
		n.Missing.Add(float64(missing))
		n.Surplus.Add(float64(surplus))
		logger.Warn("consistency check found differences; relisting the resource", "missing", missing, "surplus", surplus)
		return n.Repaired, true
	case first.older:
		return n.Skipped, false
	}
	return n.Equal, false
}
