package replica

import (
	"context"
	"errors"
	"slices"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// A kind is listed again only when its watch cannot go on, so an event that got lost on its
// way would leave the page wrong forever. A check compares the held objects of a kind with a list
// of metadata, and requests another list when they differ.

// maxSuspects bounds what a check remembers; a kind with more to mend is listed
// again all the same.
const maxSuspects = 10_000

// Results of a check.
const (
	checkEqual     = "equal"
	checkRepaired  = "repaired"  // the kind is listed again
	checkRestarted = "restarted" // the same, and its versions begin again
	checkHopeless  = "hopeless"  // it was before, and differs in the same way
	checkSkipped   = "skipped"   // the shard changes, the kind is not synced, or answers contradict one another
	checkFailed    = "failed"    // the list was not complete
)

// discrepancies are differences that may be an event on its way.
type discrepancies struct {
	missing []store.Version // listed, and not held
	surplus []store.Version // held, and not listed
	restart bool            // held versions are newer than listed ones; see versionsReset
}

func (s *discrepancies) len() int { return len(s.missing) + len(s.surplus) }

// repair is a kind that must be listed again.
type repair struct {
	kind *kind
	// forget makes the versions that are held unknown: those of the API server have
	// begun again.
	resetTombstones bool
}

// firstPass compares one kind with a list. There is a result if that ends the check; otherwise the
// differences must be confirmed later.
func (r *Replica) firstPass(ctx context.Context, k *kind, plan *shard.Plan) (found discrepancies, result string) {
	if plan == nil || r.Idle() || k.status().Phase != watch.Synced {
		return found, checkSkipped
	}
	found, err := k.scan(ctx)
	switch {
	case err != nil:
		k.logger.Warn("consistency check failed", "err", err)
		return discrepancies{}, checkFailed
	case found.len() == 0 && !found.restart:
		return found, checkEqual
	}
	return found, ""
}

// secondPass compares again; the kind is listed again if differences remain.
func (r *Replica) secondPass(ctx context.Context, w waiting) (result string) {
	k := w.kind
	if r.appliedPlan.Load() != w.plan || r.Idle() {
		return checkSkipped // another shard has other objects
	}
	if w.found.restart {
		// One answer may be that of a server that is confused.
		again, err := k.scan(ctx)
		switch {
		case err != nil:
			return checkFailed
		case !again.restart:
			return checkSkipped
		}
		return r.restart(ctx, k)
	}
	wrong := k.confirmed(w.found)
	if len(wrong.missing) > 0 {
		deleted := k.deleted(wrong.missing) // before the list is asked for, so that it would not have them
		again, err := k.scan(ctx)
		if err != nil {
			return checkFailed
		}
		if len(intersect(deleted, k.deleted(again.missing))) > 0 {
			return r.restart(ctx, k)
		}
		wrong.missing = intersect(wrong.missing, again.missing)
	}
	if wrong.len() == 0 {
		return checkEqual
	}
	k.counters.missing.Add(float64(len(wrong.missing)))
	k.counters.surplus.Add(float64(len(wrong.surplus)))
	if k.unrepairable(wrong) {
		return checkHopeless
	}
	k.logger.Warn("consistency check found differences; relisting the resource",
		"missing", len(wrong.missing), "surplus", len(wrong.surplus))
	return r.requestRelist(ctx, repair{k, false}, checkRepaired)
}

// restart lists a kind again after the API server was restored to older versions.
func (r *Replica) restart(ctx context.Context, k *kind) (result string) {
	k.logger.Warn("resource versions of the API server have gone back, as after a restored backup; relisting the resource")
	return r.requestRelist(ctx, repair{k, true}, checkRestarted)
}

// deleted are those of the versions that a deletion is remembered of.
func (k *kind) deleted(versions []store.Version) (all []store.Version) {
	for _, v := range versions {
		if k.tombstones.covers(v.ID, v.Version) {
			all = append(all, v)
		}
	}
	return all
}

func (r *Replica) requestRelist(ctx context.Context, what repair, result string) string {
	select {
	case r.repair <- what:
		return result
	case <-ctx.Done():
		return checkSkipped
	}
}

var errNotRunning = errors.New("the resource is not followed at the moment")

// scan lists the kind and returns what differs from the store.
func (k *kind) scan(ctx context.Context) (found discrepancies, err error) {
	k.mu.Lock()
	sources := k.reflectors
	k.mu.Unlock()
	if len(sources) == 0 {
		return found, errNotRunning
	}
	for i, s := range sources {
		audit, heard := k.store.Compare(uint32(i)), s.ServerVersion()
		listed, err := s.ListMetadata(ctx, func(o watch.Object) {
			v := store.Version{ID: k.id(o), Version: watch.ParseVersion(o.ResourceVersion)}
			switch finding := audit.Observe(v); {
			case v.Version == 0: // nothing can be said
			case finding == store.Newer:
				found.restart = true
			case finding == store.Missing && len(found.missing) < maxSuspects:
				found.missing = append(found.missing, v)
			}
		})
		if err != nil {
			return found, err
		}
		unlisted := audit.Extra()
		found.restart = found.restart || versionsReset(watch.ParseVersion(listed), heard, unlisted)
		found.surplus = append(found.surplus, unlisted[:min(len(unlisted), maxSuspects)]...)
	}
	return found, nil
}

// versionsReset reports whether a version that was received, or is held, before a list
// was asked for is newer than the list. Lists that are not from a cache are as new
// as all versions received before, so the API server has other data by now:
// those of a backup. Until its versions have come to where they were, watches bring
// nothing and held objects seem newer than listed ones.
func versionsReset(listed, heard uint64, unlisted []store.Version) bool {
	if listed == 0 {
		return false
	}
	return heard > listed || slices.ContainsFunc(unlisted, func(v store.Version) bool { return v.Version > listed })
}

// confirmed leaves out differences that events have resolved since. What is over the
// limits is left out on purpose, and of what has no version that can be
// compared nothing can be said.
func (k *kind) confirmed(found discrepancies) (wrong discrepancies) {
	for _, v := range found.missing {
		if v.Version != 0 && !k.store.HasVersion(v.ID, v.Version) && !k.limits.full(k.store.Stats()) {
			wrong.missing = append(wrong.missing, v)
		}
	}
	for _, v := range found.surplus {
		if k.store.HasExactVersion(v) {
			wrong.surplus = append(wrong.surplus, v)
		}
	}
	return wrong
}

// intersect returns those of the objects that others name, too. What was missing in one list
// only has come and gone since: pods may live for seconds.
func intersect(objects, others []store.Version) []store.Version {
	named := make(map[store.ID]bool, len(others))
	for _, v := range others {
		named[v.ID] = true
	}
	return slices.DeleteFunc(objects, func(v store.Version) bool { return !named[v.ID] })
}

// unrepairable reports whether a new list was tried for all of this already. An object
// that cannot be rendered stays missing, however often it is listed.
func (k *kind) unrepairable(wrong discrepancies) bool {
	now := map[store.Version]bool{}
	known := true
	for _, list := range [][]store.Version{wrong.missing, wrong.surplus} {
		for _, v := range list {
			now[v] = true
			known = known && k.lastRepaired[v]
		}
	}
	k.lastRepaired = now
	return known
}
