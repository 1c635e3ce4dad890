package replica

import (
	"iter"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// maxIdleLines bounds the buffer that is kept from one object to the next.
const maxIdleLines = 1 << 20

// handler renders what one Reflector reads into its kind's store.
type handler struct {
	kind              *kind
	source            uint32
	lines             resources.Lines
	newestList        uint64 // version of a list
	completeAt        uint64 // the same, while all that was listed is held
	held              *shard.Ranges
	rejectedSinceList bool // something was left out since the last list
}

// Put implements watch.Handler.
func (s *handler) Put(o watch.Object) (room bool) {
	k := s.kind
	id := k.id(o)
	version := watch.ParseVersion(o.ResourceVersion)
	if k.store.HasVersion(id, version) || k.tombstones.covers(id, version) || s.absentFromList(id, version) {
		k.counters.unchanged.Inc()
		return true
	}
	return s.put(o, id, version)
}

// absentFromList reports whether an object is not held although it is older than a list
// that was complete: that list would have named it, so it had been deleted by then,
// and comes from an API server that is behind. Nothing is known of what has come to
// be ours since, nor of what has given place to objects of other namespaces.
func (s *handler) absentFromList(id store.ID, version uint64) bool {
	return version != 0 && version <= s.completeAt && !s.kind.evicted.Load() && s.held == s.kind.held() && !s.kind.store.Contains(id)
}

// put renders an object into the store, if there is room.
func (s *handler) put(o watch.Object, id store.ID, version uint64) (room bool) {
	k := s.kind
	limited := k.limits.any()
	if limited {
		k.room.Lock()
		defer k.room.Unlock()
	}
	if !k.claimName(o, id, version) {
		k.counters.unchanged.Inc()
		return true
	}
	var before store.Stats
	if limited {
		before = k.store.Stats() // without the one whose name this is now
	}
	known := !limited || k.store.Contains(id)
	full := !known && k.limits.full(before)
	if full && !k.canGivePlace(o, before) {
		return s.release(o, id)
	}
	if !s.render(o, id) {
		return true
	}
	if k.limits.familiesOverLimit(&s.lines) {
		k.store.Delete(id)
		k.rejectedSizes.note(s.source, id, k.limits.bytes+1)
		return s.release(o, id)
	}
	if full {
		if !k.limits.fits(before, &s.lines) {
			return s.release(o, id)
		}
		k.givePlace(o)
		before = k.store.Stats()
	}
	k.familiesOmitted(o, id, &s.lines)
	k.putLines(o, store.Object{ID: id, Hash: o.Hash, Version: version, Source: s.source}, &s.lines)
	if cap(s.lines.Buf) > maxIdleLines {
		s.lines = resources.Lines{}
	}
	if limited && s.evictIfOverLimit(before, id) {
		return s.release(o, id)
	}
	k.counters.rendered.Inc()
	if limited {
		k.noteRoom(o, id, s.source)
	}
	return true
}

// render renders an object, and removes one that can't be: its last good state would be
// taken for the present one.
func (s *handler) render(o watch.Object, id store.ID) (ok bool) {
	k := s.kind
	s.lines.Limit = int(k.limits.text())
	if err := k.Renderer.Render(o.Encoding, o.Raw, &s.lines); err != nil {
		k.store.Delete(id)
		k.notRendered(o, err)
		return false
	}
	k.counters.skippedSamples.Add(float64(s.lines.Skipped))
	k.counters.skippedLabels.Add(float64(s.lines.SkippedLabels))
	for _, f := range s.lines.Failed {
		k.familyFailed(o, f)
	}
	return true
}

// release leaves an object out for which there is no room, and frees its name.
func (s *handler) release(o watch.Object, id store.ID) (room bool) {
	s.kind.releaseName(o, id)
	s.reject(o)
	return false
}

// evictIfOverLimit removes an object again that has taken the text beyond its bound.
func (s *handler) evictIfOverLimit(before store.Stats, id store.ID) bool {
	k := s.kind
	after := k.store.Stats()
	if !k.limits.exceeded(before, after) {
		return false
	}
	k.store.Delete(id)
	k.rejectedSizes.note(s.source, id, after.HeldTextBytes-k.store.Stats().HeldTextBytes)
	return true
}

// reject notes that there is no room for an object.
func (s *handler) reject(o watch.Object) {
	k := s.kind
	s.completeAt, s.rejectedSinceList = 0, true // that it is not held says nothing of whether it exists
	k.counters.overLimit.Inc()
	k.logFirstRejected.Do(func() {
		k.logger.Warn("a limit is reached and an object is left out; further ones are only counted",
			"namespace", string(o.Namespace), "name", string(o.Name))
	})
}

// Delete implements watch.Handler.
func (s *handler) Delete(o watch.Object) {
	k := s.kind
	id, version := k.id(o), watch.ParseVersion(o.ResourceVersion)
	if k.tombstones.covers(id, version) {
		return // and held no longer than until then
	}
	if !k.tombstones.add(id, version, k.listsAddition()) {
		k.cancelAdditions()
		k.tombstones.add(id, version, false)
	}
	k.rejectedSizes.forget(s.source, id)
	if k.holdDeleted == 0 {
		k.releaseName(o, id)
		k.store.Delete(id)
		k.noteGone(id)
		return
	}
	if !k.store.HasVersion(id, version) {
		s.put(o, id, version)
	}
	k.expire(id)
}

// Replace implements watch.Handler.
func (s *handler) Replace(all []watch.ObjectRef, resourceVersion string) {
	version := watch.ParseVersion(resourceVersion)
	gone := s.kind.store.Retain(s.source, version, s.kind.ids(all))
	s.kind.counters.vanished.Add(float64(gone))
	if version != 0 && version < s.newestList {
		s.kind.urgentChecks.put(s.kind) // a cache that is behind, or versions that began again
	}
	s.kind.rejectedSizes.listed(s.source)
	s.newestList = max(s.newestList, version)
	s.completeAt = s.newestList
	if held := s.kind.held(); held != s.held || s.rejectedSinceList {
		s.completeAt, s.held, s.rejectedSinceList = 0, held, false // not all of the list is held, or what is ours has changed meanwhile
	}
}

func (k *kind) ids(all []watch.ObjectRef) iter.Seq[store.ID] {
	return func(yield func(store.ID) bool) {
		for _, h := range all {
			if !yield(k.refID(h)) {
				return
			}
		}
	}
}
