package replica

import (
	"context"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/store"
)

// restoreInterval is the shortest time between two lists of a kind that bring back samples that were
// left out. A list of a large kind is expensive, and every user who may create objects can cause one.
const restoreInterval = time.Minute

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
