package replica

import (
	"context"
	"sync"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/store"
)

// restoreInterval is the shortest time between two lists of a kind that bring back samples that were
// left out. A list of a large kind is expensive, and every user who may create objects can cause one.
const restoreInterval = time.Minute

// relistLimiter spaces lists of a kind. The zero value is ready. It is safe for concurrent use.
type relistLimiter struct {
	mu   sync.Mutex
	last time.Time
}

// allow reports whether the kind may be listed again now, and counts the answer as a list.
func (l *relistLimiter) allow(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.last.IsZero() && now.Sub(l.last) < restoreInterval {
		return false
	}
	l.last = now
	return true
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
		if len(free) == 0 || k.status().Phase == watch.Pending || !k.lastRestore.allow(now) {
			continue
		}
		k.logger.Info("there is room for samples that were left out; relisting the resource", "objects", len(free))
		k.store.ResetVersions(free)
		r.requestRelist(ctx, k)
	}
}
