package verify

import (
	"context"
	"errors"
	"math"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/store"
)

// maxDifferences bounds the missing and the extra objects that a comparison remembers. A resource
// with more differences is listed again as well.
const maxDifferences = 10_000

var errNotRunning = errors.New("the resource is not watched at the moment")

// differences are the result of one comparison. Each of them may be due to an event on its way.
type differences struct {
	missing []store.Version // listed, but not stored in this version or a newer one
	extra   []store.Version // stored, but not listed
	reset   bool            // the list is older than a version received before it was requested
}

func (d differences) none() bool { return len(d.missing)+len(d.extra) == 0 && !d.reset }

// compare lists the resource and compares it with the store. The result is "" on success.
func (v *Verifier) compare(ctx context.Context, s *Subject) (differences, result) {
	select {
	case v.turn <- struct{}{}:
	case <-ctx.Done():
		return differences{}, skipped
	}
	defer func() { <-v.turn }()
	if !s.Ready() {
		return differences{}, skipped
	}
	d, err := s.compare(ctx)
	if err != nil {
		s.Logger.Warn("consistency check failed", "err", err)
		return differences{}, failed
	}
	if !s.Ready() { // the objects to store may have changed meanwhile
		return differences{}, skipped
	}
	return d, ""
}

func (s *Subject) compare(ctx context.Context) (all differences, err error) {
	reflectors := s.Reflectors()
	if len(reflectors) == 0 {
		return differences{}, errNotRunning
	}
	for i, r := range reflectors {
		if r.Status().Phase != watch.Synced {
			continue
		}
		d, err := s.compareSource(ctx, uint32(i), r)
		if err != nil {
			return differences{}, err
		}
		all.missing, all.extra = append(all.missing, d.missing...), append(all.extra, d.extra...)
		all.reset = all.reset || d.reset
	}
	return all, nil
}

// compareSource compares the objects of one Reflector. ListMetadata is not answered from a cache,
// so its list is at least as new as everything that was received before, unless the API server has
// other data by now: those of a backup.
func (s *Subject) compareSource(ctx context.Context, source uint32, r *watch.Reflector) (d differences, err error) {
	comparison := s.Store.Compare(source)
	received := max(r.ServerVersion(), s.NewestDeletion())
	undone := uint64(math.MaxUint64) // lowest version at which a listed object was deleted
	version, err := r.ListMetadata(ctx, func(o watch.Object) {
		v := store.Version{ID: s.ID(o), Version: watch.ParseVersion(o.ResourceVersion)}
		switch finding := comparison.Observe(v); {
		case v.Version == 0: // versions cannot be compared
		case finding == store.Newer:
			d.reset = true
		case finding == store.Missing:
			if deleted := s.DeletedAt(v.ID); deleted >= v.Version {
				undone = min(undone, deleted)
			}
			if len(d.missing) < maxDifferences {
				d.missing = append(d.missing, v)
			}
		}
	})
	if err != nil {
		return differences{}, err
	}
	extra := comparison.Extra()
	for _, v := range extra {
		received = max(received, v.Version)
	}
	if listed := watch.ParseVersion(version); listed != 0 {
		d.reset = d.reset || received > listed || undone <= listed
	}
	d.extra = extra[:min(len(extra), maxDifferences)]
	return d, nil
}

// confirmed returns the differences that both comparisons found and that no event has resolved
// since the first one. Objects that a limit leaves out are not missing.
func (s *Subject) confirmed(first, second differences) (wrong differences) {
	missing := make(map[store.ID]bool, len(second.missing))
	if s.Full == nil || !s.Full() {
		for _, v := range second.missing {
			missing[v.ID] = true
		}
	}
	for _, v := range first.missing {
		if missing[v.ID] && !s.Store.HasVersion(v.ID, v.Version) {
			wrong.missing = append(wrong.missing, v)
		}
	}
	extra := make(map[store.Version]bool, len(second.extra))
	for _, v := range second.extra {
		extra[v] = true
	}
	for _, v := range first.extra {
		if extra[v] && s.Store.HasExactVersion(v) {
			wrong.extra = append(wrong.extra, v)
		}
	}
	return wrong
}
