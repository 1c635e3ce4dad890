package replica

import (
	"context"
	"errors"
	"time"

	"github.com/statefleet/statefleet/store"
	"github.com/statefleet/statefleet/watch"
)

// client-go lists again only when a watch breaks, so an event that got lost on its
// way would be wrong for ever. A check compares what is held of a kind with a list
// of metadata, and has the kind listed anew when they differ.

const (
	// checkGrace is how long an event may be on its way: what differs in a list
	// and still does after that is wrong.
	checkGrace = 30 * time.Second
	// maxSuspects bounds what a check remembers; a kind with more to mend is listed
	// anew all the same.
	maxSuspects = 10_000
)

// Results of a check.
const (
	checkEqual    = "equal"
	checkRepaired = "repaired" // the kind is listed anew
	checkHopeless = "hopeless" // it was before, and differs in the same way
	checkSkipped  = "skipped"  // the shard changes, or the kind is not synced
	checkFailed   = "failed"   // the list was not complete
)

// suspects are differences that may be an event on its way.
type suspects struct {
	missing []store.Version // listed, and not held
	surplus []store.Version // held, and not listed
}

func (s *suspects) len() int { return len(s.missing) + len(s.surplus) }

// checkKinds checks one kind after the other until ctx ends, each once in a while.
func (r *Replica) checkKinds(ctx context.Context) {
	for n := 0; ; n++ {
		kinds := r.current()
		if !pause(ctx, r.options.CheckEvery/time.Duration(max(len(kinds), 1))) {
			return
		}
		if kinds = r.current(); len(kinds) > 0 {
			k := kinds[n%len(kinds)]
			result := r.check(ctx, k)
			if ctx.Err() != nil {
				return
			}
			k.counters.checks(result).Inc()
		}
	}
}

// pause waits, and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// check compares one kind, and begins to mend it if need be.
func (r *Replica) check(ctx context.Context, k *kind) (result string) {
	before := r.settled.Load()
	if before == nil || k.status().Phase != watch.Synced {
		return checkSkipped
	}
	found, err := k.scan(ctx)
	if err != nil {
		k.logger.Warn("what is held could not be compared with what there is", "err", err)
		return checkFailed
	}
	if found.len() == 0 {
		return checkEqual
	}
	if !pause(ctx, r.options.CheckGrace) {
		return checkSkipped
	}
	if r.settled.Load() != before {
		return checkSkipped // another shard has other objects
	}
	wrong := k.stillWrong(found)
	if wrong.len() == 0 {
		return checkEqual
	}
	k.counters.missing.Add(float64(len(wrong.missing)))
	k.counters.surplus.Add(float64(len(wrong.surplus)))
	if k.hopeless(wrong) {
		return checkHopeless
	}
	k.logger.Warn("what is held differs from what there is; the resource is listed anew",
		"missing", len(wrong.missing), "surplus", len(wrong.surplus))
	select {
	case r.repair <- k:
		return checkRepaired
	case <-ctx.Done():
		return checkSkipped
	}
}

var errNotRunning = errors.New("the resource is not followed at the moment")

// scan lists the kind and returns what differs from the store.
func (k *kind) scan(ctx context.Context) (found suspects, err error) {
	k.mu.Lock()
	sources := k.sources
	k.mu.Unlock()
	if len(sources) == 0 {
		return found, errNotRunning
	}
	for i, s := range sources {
		audit := k.store.Audit(uint32(i))
		err := s.Scan(ctx, func(o watch.Object) {
			v := store.Version{ID: store.NewIDBytes(o.UID, o.Namespace, o.Name), Version: parseVersion(o.ResourceVersion)}
			if !audit.Listed(v) && len(found.missing) < maxSuspects {
				found.missing = append(found.missing, v)
			}
		})
		if err != nil {
			return found, err
		}
		unlisted := audit.Unlisted()
		found.surplus = append(found.surplus, unlisted[:min(len(unlisted), maxSuspects)]...)
	}
	return found, nil
}

// stillWrong leaves out what has been mended by events since. What is over the
// limits is left out on purpose, and of what has no version that can be
// compared nothing can be said.
func (k *kind) stillWrong(found suspects) (wrong suspects) {
	for _, v := range found.missing {
		if v.Version != 0 && !k.store.Has(v.ID, v.Version) && !k.limits.keepOut(k.store.Stats()) {
			wrong.missing = append(wrong.missing, v)
		}
	}
	for _, v := range found.surplus {
		if k.store.Holds(v) {
			wrong.surplus = append(wrong.surplus, v)
		}
	}
	return wrong
}

// hopeless reports whether a new list was tried for all of this already. An object
// that cannot be rendered stays missing, however often it is listed.
func (k *kind) hopeless(wrong suspects) bool {
	now := map[store.Version]bool{}
	known := true
	for _, list := range [][]store.Version{wrong.missing, wrong.surplus} {
		for _, v := range list {
			now[v] = true
			known = known && k.mended[v]
		}
	}
	k.mended = now
	return known
}
