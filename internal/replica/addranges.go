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

// errTooManyDeletions ends the list of added ranges when more objects are deleted while it is read
// than tombstones may hold; see maxTombstones.
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

// addition is one list of added ranges. Tombstones keep all deletions while it is read. They need
// not do so between two attempts: the next list is newer than all versions received before it.
type addition struct{ cancel context.CancelCauseFunc }

// listAddition lists the added ranges once.
func (k *kind) listAddition(ctx context.Context, s *watch.Reflector, add watch.RangeAddition) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a := &addition{cancel}
	k.beginAddition(a)
	err := s.AddRanges(ctx, add)
	k.endAddition(a)
	if cause := context.Cause(ctx); errors.Is(cause, errTooManyDeletions) {
		return cause // also after a complete list: it may have brought deleted objects back
	}
	return err
}

func (k *kind) beginAddition(a *addition) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.additions == nil {
		k.additions = map[*addition]bool{}
	}
	k.additions[a] = true
}

func (k *kind) endAddition(a *addition) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.additions, a)
}

// listsAddition reports whether added ranges are being listed.
func (k *kind) listsAddition() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.additions) > 0
}

// cancelAdditions ends the lists of added ranges. The kind is then listed completely.
func (k *kind) cancelAdditions() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for a := range k.additions {
		a.cancel(errTooManyDeletions)
	}
}

// rangesAdded notes that one Reflector holds its added ranges.
func (k *kind) rangesAdded() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pendingAdditions--
}
