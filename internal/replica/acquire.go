package replica

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/watch"
)

const acquireAgain = time.Second

// acquire has the kind's Sources hold what is gained besides what they hold. It reports false when they have to be
// started anew for that: none runs, one is not synced, or they are at it already.
func (r *Replica) acquire(k *kind, gained shard.Ranges) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.sources) == 0 || k.acquiring > 0 {
		return false
	}
	for _, s := range k.sources {
		if s.Status().Phase != watch.Synced {
			return false
		}
	}
	gain := watch.Gain{Owned: gained.Contains, Selector: gained.Selector()}
	for _, s := range k.sources {
		k.acquiring++
		k.spawn(func(ctx context.Context) { r.acquireFrom(ctx, k, s, gain) })
	}
	return true
}

// acquireFrom tries until the gain is complete, ctx ends, or the kind has to be listed anew.
func (r *Replica) acquireFrom(ctx context.Context, k *kind, s *watch.Source, gain watch.Gain) {
	var last error
	for {
		err := s.Acquire(ctx, gain)
		switch {
		case err == nil:
			k.acquired()
			return
		case beyondAcquiring(err, last):
			select {
			case r.repair <- repair{kind: k}:
			case <-ctx.Done():
			}
			return
		case ctx.Err() == nil:
			k.logger.Warn("what is gained could not be listed; trying again", "err", err)
		}
		last = err
		if !watch.Pause(ctx, acquireAgain) {
			return
		}
	}
}

// beyondAcquiring reports whether an error, after the one before it, is for a list of all there is to deal with: a
// kind that is refused is not waited for, and versions that have gone back are no reason to wait until they are where
// they were.
func beyondAcquiring(err, last error) bool {
	return errors.Is(err, watch.ErrNotListed) || apierrors.IsForbidden(err) || apierrors.IsNotFound(err) ||
		errors.Is(err, watch.ErrBehind) && errors.Is(last, watch.ErrBehind)
}

// acquires reports whether what is gained is being listed.
func (k *kind) acquires() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.acquiring > 0
}

func (k *kind) acquired() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.acquiring--
}
