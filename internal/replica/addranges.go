package replica

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/shard"
)

// errTooManyDeletions says that more objects were deleted while added ranges were listed than
// tombstones may hold; see maxTombstones.
var errTooManyDeletions = errors.New("too many objects were deleted while the list was read")

// additionBackoff spaces the lists of added ranges. Each one opens the watch again, and all kinds
// of all replicas list at the same time.
func (o *Options) additionBackoff() wait.Backoff {
	if o.Backoff.Duration > 0 {
		return o.Backoff
	}
	return wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.5, Steps: 1 << 20, Cap: 30 * time.Second}
}

// addRanges makes the kind's Reflectors hold added ranges. It returns false if they have to be
// started again instead: none runs, one is not synced, or an earlier addition is in progress.
func (r *Replica) addRanges(k *kind, added shard.Ranges) bool {
	r.startWaiting(k, time.Now())
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.reflectors) == 0 || k.pendingAdditions > 0 {
		return false
	}
	for _, s := range k.reflectors {
		if s.Status().Phase != watch.Synced {
			return false
		}
	}
	add := watch.RangeAddition{Contains: added.Contains, Selector: added.Selector()}
	for _, s := range k.reflectors {
		k.pendingAdditions++
		k.spawn(func(ctx context.Context) { r.addRangesFrom(ctx, k, s, add) })
	}
	return true
}

// addRangesFrom retries until the addition is complete, ctx ends, or the kind must be listed again.
func (r *Replica) addRangesFrom(ctx context.Context, k *kind, s *watch.Reflector, add watch.RangeAddition) {
	for backoff := r.options.additionBackoff(); ; {
		err := k.listAddition(ctx, s, add)
		switch {
		case err == nil:
			k.rangesAdded()
			return
		case needsRelist(err):
			k.logger.Info("added ranges could not be listed; relisting the resource", "err", err)
			r.requestRelist(ctx, k)
			return
		case ctx.Err() == nil:
			k.logger.Warn("listing added ranges failed; retrying", "err", err)
		}
		if !watch.Sleep(ctx, backoff.Step()) {
			return
		}
	}
}

// needsRelist reports whether the kind must be listed completely after an error. A forbidden or
// missing kind must not delay the change of shard. A stale list may have brought objects back whose
// deletions the watch does not send again, and only a complete list removes them.
func needsRelist(err error) bool {
	return errors.Is(err, watch.ErrNotSynced) || errors.Is(err, errTooManyDeletions) || errors.Is(err, watch.ErrStaleList) ||
		apierrors.IsForbidden(err) || apierrors.IsNotFound(err)
}

// listAddition lists the added ranges once. Tombstones keep all deletions meanwhile. They need not do
// so between two attempts: the next list is newer than all versions received before it.
func (k *kind) listAddition(ctx context.Context, s *watch.Reflector, add watch.RangeAddition) error {
	keptAll := k.tombstones.keepAll()
	err := s.AddRanges(ctx, add)
	if !keptAll() {
		return errTooManyDeletions // also after a complete list: it may have brought deleted objects back
	}
	return err
}

// rangesAdded notes that one Reflector holds its added ranges.
func (k *kind) rangesAdded() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pendingAdditions--
}
