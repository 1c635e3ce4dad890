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

// errTooManyDeletions ends the list of added ranges when more objects are deleted meanwhile
// than are remembered; see maxTombstones.
var errTooManyDeletions = errors.New("too many objects were deleted while the list was read")

// acquireBackoff spaces the lists of added ranges: each comes with a watch that is opened
// again, and all kinds of all replicas do so at once.
func (o *Options) acquireBackoff() wait.Backoff {
	if o.Backoff.Duration > 0 {
		return o.Backoff
	}
	return wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.5, Steps: 1 << 20, Cap: 30 * time.Second}
}

// addRanges makes the kind's Reflectors hold added ranges. It reports false when they must be started again
// for that: none runs, one is not synced, or an addition is under way.
func (r *Replica) addRanges(k *kind, gained shard.Ranges) bool {
	r.waitFrom(k, time.Now())
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
	gain := watch.RangeAddition{Contains: gained.Contains, Selector: gained.Selector()}
	for _, s := range k.reflectors {
		k.pendingAdditions++
		k.spawn(func(ctx context.Context) { r.addRangesFrom(ctx, k, s, gain) })
	}
	return true
}

// addRangesFrom retries until the addition is complete, ctx ends, or the kind must be listed again.
func (r *Replica) addRangesFrom(ctx context.Context, k *kind, s *watch.Reflector, gain watch.RangeAddition) {
	var last error
	for backoff := r.options.acquireBackoff(); ; {
		err := k.listAddition(ctx, s, gain)
		switch {
		case err == nil:
			k.rangesAdded()
			return
		case needsRelist(err, last):
			k.logger.Info("added ranges could not be listed; relisting the resource", "err", err)
			r.requestRelist(ctx, repair{kind: k})
			return
		case ctx.Err() == nil:
			k.logger.Warn("listing added ranges failed; retrying", "err", err)
		}
		last = err
		if !watch.Sleep(ctx, backoff.Step()) {
			return
		}
	}
}

// needsRelist reports whether an error, after the one before it, is for a list of all there is to deal with: a
// kind that is refused is not waited for, and versions that have gone back are no reason to wait until they are where
// they were.
func needsRelist(err, last error) bool {
	return errors.Is(err, watch.ErrNotSynced) || errors.Is(err, errTooManyDeletions) ||
		apierrors.IsForbidden(err) || apierrors.IsNotFound(err) ||
		errors.Is(err, watch.ErrStaleList) && errors.Is(last, watch.ErrStaleList)
}

// addition is one list of added ranges. Deletions are remembered for as long as it is read,
// but not between two of them: the next list is newer than all versions received before.
type addition struct{ cancel context.CancelCauseFunc }

// listAddition lists the added ranges once.
func (k *kind) listAddition(ctx context.Context, s *watch.Reflector, what watch.RangeAddition) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g := &addition{cancel}
	k.trackAddition(g, true)
	err := s.AddRanges(ctx, what)
	k.trackAddition(g, false)
	if cause := context.Cause(ctx); errors.Is(cause, errTooManyDeletions) {
		return cause // also after a list that was complete: it may have brought back what was deleted
	}
	return err
}

func (k *kind) trackAddition(g *addition, lists bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !lists {
		delete(k.additions, g)
		return
	}
	if k.additions == nil {
		k.additions = map[*addition]bool{}
	}
	k.additions[g] = true
}

// listsAddition reports whether added ranges are being listed.
func (k *kind) listsAddition() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.additions) > 0
}

// cancelAdditions ends the lists of added ranges; the kind is listed again instead.
func (k *kind) cancelAdditions() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for g := range k.additions {
		g.cancel(errTooManyDeletions)
	}
}

func (k *kind) rangesAdded() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pendingAdditions--
}
