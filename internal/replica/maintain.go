package replica

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/store"
)

const (
	// sweepInterval is the time between two sweeps.
	sweepInterval = 5 * time.Second
	// quietAfter is how long a block must not change before a sweep compresses it.
	quietAfter = time.Minute
	// freeThreshold is how many bytes a sweep must free before their memory is returned to the system
	// immediately. Start-up leaves tens of megabytes, which the garbage collector would keep for
	// minutes because it waits for the heap to grow.
	freeThreshold = 8 << 20
	// restoreInterval is the shortest time between two lists of a kind that bring back samples that were
	// left out. A list of a large kind is expensive, and every user who may create objects can cause one.
	restoreInterval = time.Minute
)

// maintain sweeps until ctx ends. It has its own goroutine, so that no change of shard waits for
// it.
func (r *Replica) maintain(ctx context.Context) {
	for watch.Sleep(ctx, sweepInterval) {
		now := time.Now()
		r.sweep(now)
		r.restoreSeries(ctx, now)
	}
}

// sweep compresses quiet blocks and frees unused names.
func (r *Replica) sweep(now time.Time) {
	before := r.budget.RawBytes()
	for _, k := range r.current() {
		k.store.Sweep(quietAfter, now)
		k.pruneNames()
	}
	if before-r.budget.RawBytes() >= freeThreshold {
		debug.FreeOSMemory()
	}
}

// restoreSeries relists the kinds in which a left-out sample has a free series now, or room below its
// limit. Only the objects of such samples are rendered again.
func (r *Replica) restoreSeries(ctx context.Context, now time.Time) {
	for _, k := range r.current() {
		var free []store.ID
		if k.sharedSeries != nil {
			free = k.sharedSeries.prune(k.store.Contains)
		}
		if k.seriesLimits != nil {
			free = append(free, k.seriesLimits.restorable(k.store)...)
		}
		// A list in progress must not begin again every minute, because it may take longer.
		if len(free) == 0 || k.status().Phase == watch.Pending || now.Sub(k.lastRestore) < restoreInterval {
			continue
		}
		k.lastRestore = now
		k.logger.Info("there is room for samples that were left out; relisting the resource", "objects", len(free))
		k.store.ResetVersions(free)
		r.requestRelist(ctx, k)
	}
}
