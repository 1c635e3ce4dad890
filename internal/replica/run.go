package replica

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/statefleet/statefleet/shard"
)

// How often the replica looks after its stores, and for how long a page has to
// be quiet before it is packed.
const (
	sweepEvery = 5 * time.Second
	quietAfter = time.Minute
	syncPoll   = 50 * time.Millisecond
)

// Run follows the API server until ctx ends and everything it started has ended.
func (r *Replica) Run(ctx context.Context) error {
	first, ok := r.firstShard(ctx)
	if !ok {
		return nil
	}
	g := ranges{first.Ranges(), first.Ranges()}
	r.logger.Info("starting", "shard", first.String(), "share", g.now.Share())
	r.held.Store(&g.now)
	for _, k := range r.current() {
		r.follow(ctx, k)
	}
	defer func() {
		for _, k := range r.current() {
			k.stop()
		}
	}()
	r.mu.Lock()
	r.begun = true
	r.mu.Unlock()
	return r.loop(ctx, g)
}

// firstShard waits for an assignment that gives the replica something to do.
func (r *Replica) firstShard(ctx context.Context) (shard.Assignment, bool) {
	for {
		select {
		case <-ctx.Done():
			return shard.Assignment{}, false
		case a := <-r.assigned:
			if a.Ranges() != nil {
				return a, true
			}
			r.logger.Warn("this replica's ordinal is outside of the fleet; waiting for a shard", "ordinal", a.Ordinal, "total", a.Total)
		}
	}
}

func (r *Replica) loop(ctx context.Context, g ranges) error {
	sweep, poll := time.NewTicker(sweepEvery), time.NewTicker(syncPoll)
	defer sweep.Stop()
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case a := <-r.assigned:
			g = r.change(ctx, g, a)
		case kinds := <-r.wanted:
			r.replaceKinds(ctx, g, kinds)
		case <-poll.C:
			r.admit()
			if g.changing() || !r.isReady() {
				g = r.settle(g)
			}
		case now := <-sweep.C:
			r.sweep(now)
		}
	}
}

// replaceKinds starts and ends what differs from the kinds that are followed.
func (r *Replica) replaceKinds(ctx context.Context, g ranges, wanted []Kind) {
	old := map[string]*kind{}
	for _, k := range r.current() {
		old[k.Name] = k
	}
	var kinds, fresh []*kind
	for _, w := range wanted {
		if k, ok := old[w.Name]; ok && k.Resource == w.Resource && k.Renderer == w.Renderer {
			delete(old, w.Name)
			kinds = append(kinds, k)
			continue
		}
		k := r.newKind(w)
		k.late = r.isReady()
		if g.changing() {
			k.store.Begin(g.now.Contains, g.next.Contains)
		}
		kinds, fresh = append(kinds, k), append(fresh, k)
	}
	r.mu.Lock()
	r.kinds = kinds
	r.mu.Unlock()
	for _, k := range old {
		r.logger.Info("no longer followed", "resource", k.Name)
		k.stop()
	}
	for _, k := range fresh {
		r.follow(ctx, k)
	}
}

// admit shows the late kinds that are complete by now.
func (r *Replica) admit() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range r.kinds {
		k.late = k.late && !k.complete()
	}
}

// worthFreeing is how much a sweep has to pack for the memory to be given back
// at once. Start-up leaves tens of megabytes that the collector, which waits
// for the heap to grow, would otherwise keep for minutes.
const worthFreeing = 8 << 20

func (r *Replica) sweep(now time.Time) {
	before := r.budget.RawBytes()
	for _, k := range r.current() {
		k.store.Sweep(quietAfter, now)
	}
	if before-r.budget.RawBytes() >= worthFreeing {
		debug.FreeOSMemory()
	}
}
