package replica

import (
	"context"
	"runtime/debug"
	"time"
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
)

// maintain sweeps until ctx ends. It has its own goroutine, so that no change of shard waits for
// it.
func (r *Replica) maintain(ctx context.Context) {
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			r.sweep(now)
			r.restoreSeries(ctx, now)
		}
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
