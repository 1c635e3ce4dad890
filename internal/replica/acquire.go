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

// errDeletions ends the list of what is gained when more objects are deleted meanwhile
// than are remembered; see maxKept.
var errDeletions = errors.New("too many objects were deleted while the list was read")

// acquireBackoff spaces the lists of what is gained: each comes with a watch that is opened
// anew, and all kinds of all replicas do so at once.
func (o *Options) acquireBackoff() wait.Backoff {
	if o.Backoff.Duration > 0 {
		return o.Backoff
	}
	return wait.Backoff{Duration: time.Second, Factor: 2, Jitter: 0.5, Steps: 1 << 20, Cap: 30 * time.Second}
}

// acquire has the kind's Sources hold what is gained besides what they hold. It reports false when they have to be
// started anew for that: none runs, one is not synced, or they are at it already.
func (r *Replica) acquire(k *kind, gained shard.Ranges) bool {
	r.waitFrom(k, time.Now())
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
	gain := watch.RangeAddition{Owned: gained.Contains, Selector: gained.Selector()}
	for _, s := range k.sources {
		k.acquiring++
		k.spawn(func(ctx context.Context) { r.acquireFrom(ctx, k, s, gain) })
	}
	return true
}

// acquireFrom tries until the gain is complete, ctx ends, or the kind has to be listed anew.
func (r *Replica) acquireFrom(ctx context.Context, k *kind, s *watch.Reflector, gain watch.RangeAddition) {
	var last error
	for backoff := r.options.acquireBackoff(); ; {
		err := k.listGain(ctx, s, gain)
		switch {
		case err == nil:
			k.acquired()
			return
		case beyondAcquiring(err, last):
			k.logger.Info("what is gained could not be listed by itself; the resource is listed anew", "err", err)
			select {
			case r.repair <- repair{kind: k}:
			case <-ctx.Done():
			}
			return
		case ctx.Err() == nil:
			k.logger.Warn("what is gained could not be listed; trying again", "err", err)
		}
		last = err
		if !watch.Sleep(ctx, backoff.Step()) {
			return
		}
	}
}

// beyondAcquiring reports whether an error, after the one before it, is for a list of all there is to deal with: a
// kind that is refused is not waited for, and versions that have gone back are no reason to wait until they are where
// they were.
func beyondAcquiring(err, last error) bool {
	return errors.Is(err, watch.ErrNotSynced) || errors.Is(err, errDeletions) ||
		apierrors.IsForbidden(err) || apierrors.IsNotFound(err) ||
		errors.Is(err, watch.ErrStaleList) && errors.Is(last, watch.ErrStaleList)
}

// gain is one list of what is gained. Deletions are remembered for as long as it is read,
// but not between two of them: the next is newer than anything that was heard of before.
type gain struct{ cancel context.CancelCauseFunc }

// listGain lists once what is gained.
func (k *kind) listGain(ctx context.Context, s *watch.Reflector, what watch.RangeAddition) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	g := &gain{cancel}
	k.setGain(g, true)
	err := s.AddRanges(ctx, what)
	k.setGain(g, false)
	if cause := context.Cause(ctx); errors.Is(cause, errDeletions) {
		return cause // also after a list that was complete: it may have brought back what was deleted
	}
	return err
}

func (k *kind) setGain(g *gain, lists bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !lists {
		delete(k.gains, g)
		return
	}
	if k.gains == nil {
		k.gains = map[*gain]bool{}
	}
	k.gains[g] = true
}

// listsGain reports whether what is gained is being listed at the moment.
func (k *kind) listsGain() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.gains) > 0
}

// abandonGain has the kind listed anew instead.
func (k *kind) abandonGain() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for g := range k.gains {
		g.cancel(errDeletions)
	}
}

func (k *kind) acquired() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.acquiring--
}
