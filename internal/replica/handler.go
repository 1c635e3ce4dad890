package replica

import (
	"iter"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/store"
)

// maxIdleLines is the largest buffer, in bytes, that is kept from one object to the next.
const maxIdleLines = 1 << 20

// handler stores what one Reflector reads. See admission.go for what it accepts.
type handler struct {
	kind       *kind
	namespaces map[string]bool // that were selected when the Reflector was started; nil if all are
	source     uint32
	lines      resources.Lines

	newestList        uint64        // highest version of a list
	completeAt        uint64        // equals newestList while all listed objects are stored; else 0
	held              *shard.Ranges // the ranges that were held when the list was complete
	rejectedSinceList bool          // an object was rejected since the last list
}

// Put implements watch.Handler.
func (h *handler) Put(o watch.Object) (accepted bool) {
	v := store.Version{ID: h.kind.id(o), Version: watch.ParseVersion(o.ResourceVersion)}
	return h.accept(o, v) != overLimit
}

// accept stores a version of an object if admit allows it, and counts the outcome.
func (h *handler) accept(o watch.Object, v store.Version) outcome {
	k := h.kind
	if k.limits.any() {
		k.room.Lock()
		defer k.room.Unlock()
	}
	result := h.admit(o, v)
	if result == "" {
		result = h.put(o, v)
	}
	if result == overLimit {
		h.noteRejected(o)
	}
	k.counters.updates[result].Inc()
	return result
}

// put renders an admitted object and stores its lines.
func (h *handler) put(o watch.Object, v store.Version) outcome {
	k := h.kind
	k.takeName(o, v.ID)
	if !h.render(o, v.ID) {
		return failed
	}
	before, ok := h.makeRoom(o, v.ID)
	if !ok {
		return overLimit
	}
	k.recordOmitted(o, v.ID, &h.lines)
	result := unchanged
	unlisted := h.unlisted(o.Namespace)
	if unlisted && k.listed[h.source] == nil {
		k.unconfirmed[h.source] = true
	}
	stored := store.Object{ID: v.ID, Hash: o.Hash, Version: v.Version, Source: h.source}
	// Every hidden namespace has a bucket of its own, so it is hidden only while its kind is not. See kind.show.
	stored.Hidden = unlisted && !k.hidden.Load()
	if k.putLines(o, stored, &h.lines) {
		result = changed
	}
	textBytes := int64(len(h.lines.Buf))
	if cap(h.lines.Buf) > maxIdleLines {
		h.lines = resources.Lines{}
	}
	if k.limits.any() && k.limits.exceeded(before, k.store.Stats()) { // the object was stored, and has grown
		h.reject(o, v.ID, textBytes)
		return overLimit
	}
	if k.limits.objects > 0 {
		k.shares.add(o.Namespace, v.ID)
	}
	return result
}

// render renders an object's lines. It removes an object that cannot be rendered, because its last
// good state would look like the present one.
func (h *handler) render(o watch.Object, id store.ID) (ok bool) {
	k := h.kind
	h.lines.Limit = int(k.limits.text())
	if err := k.Renderer.Render(o.Encoding, o.Raw, &h.lines); err != nil {
		k.store.Delete(id)
		k.failedObjects.Add(1)
		k.logRenderError(o, err)
		return false
	}
	k.counters.skippedSamples.Add(float64(h.lines.Skipped))
	k.counters.skippedLabels.Add(float64(h.lines.SkippedLabels))
	for _, f := range h.lines.Failed {
		k.familyFailed(o, f)
	}
	return true
}

// makeRoom evicts an object of another namespace if the limits require it, and returns the store's
// totals before the lines are stored. It rejects an object whose text does not fit.
func (h *handler) makeRoom(o watch.Object, id store.ID) (before store.Stats, ok bool) {
	k := h.kind
	if !k.limits.any() {
		return before, true
	}
	if k.limits.tooLarge(&h.lines) {
		h.reject(o, id, k.limits.bytes+1)
		return before, false
	}
	before = k.store.Stats()
	switch {
	case k.store.Contains(id):
	case !k.limits.fits(before, &h.lines):
		h.reject(o, id, int64(len(h.lines.Buf)))
		return before, false
	case k.limits.full(before):
		k.evict(o)
		before = k.store.Stats()
	}
	return before, true
}

// reject removes an object whose text exceeds a limit, and frees its name.
func (h *handler) reject(o watch.Object, id store.ID, textBytes int64) {
	k := h.kind
	k.store.Delete(id)
	k.releaseName(o, id)
	if smallest := k.rejected[h.source].Load(); smallest == 0 || textBytes < smallest {
		k.rejected[h.source].Store(textBytes)
	}
}

// noteRejected notes that an object was left out because of a limit.
func (h *handler) noteRejected(o watch.Object) {
	k := h.kind
	h.completeAt, h.rejectedSinceList = 0, true // from now on, an object may exist that is not stored
	if k.firstTimeIn(string(o.Namespace), "limit") {
		k.logger.Warn("an object is left out because a limit is reached; further ones of the namespace are only counted",
			"namespace", string(o.Namespace), "name", string(o.Name))
	}
}

// Delete implements watch.Handler.
func (h *handler) Delete(o watch.Object) {
	k := h.kind
	v := store.Version{ID: k.id(o), Version: watch.ParseVersion(o.ResourceVersion)}
	if k.tombstones.covers(v.ID, v.Version) {
		return // it has been removed before, or expires
	}
	if k.options.HoldDeleted > 0 {
		h.accept(o, v) // the last state of the object stays visible
	}
	k.tombstones.add(v)
	if k.options.HoldDeleted > 0 {
		k.store.ExpireAt(v.ID, time.Now().Add(k.options.HoldDeleted))
		return
	}
	k.releaseName(o, v.ID)
	k.store.Delete(v.ID)
	k.removeFromShares(v.ID)
}

// Replace implements watch.Handler.
func (h *handler) Replace(all []watch.ObjectRef, resourceVersion string) {
	k := h.kind
	version := watch.ParseVersion(resourceVersion)
	k.counters.pruned.Add(float64(k.store.Retain(h.source, version, k.ids(all))))
	if version != 0 && version < h.newestList {
		k.subject.Soon() // the list came from a stale cache, or resource versions have gone back
	}
	h.completedAt(version)
}

// completedAt notes that the store has all owned objects as of a version.
func (h *handler) completedAt(version uint64) {
	k := h.kind
	h.newestList = max(h.newestList, version)
	h.completeAt = h.newestList
	held := k.held()
	if held != h.held || h.rejectedSinceList {
		h.completeAt = 0 // not all listed objects are stored
	}
	if !h.rejectedSinceList {
		k.rejected[h.source].Store(0)
	}
	h.held, h.rejectedSinceList = held, false
	if h.namespaces != nil {
		k.listed[h.source] = h.namespaces
		k.store.Show(h.source)
	}
	k.unconfirmed[h.source] = false
}

// unlisted reports whether the handler is restricted to namespaces, and no list that includes this one
// was complete.
func (h *handler) unlisted(namespace []byte) bool {
	return h.namespaces != nil && !h.kind.listed[h.source][string(namespace)]
}

func (k *kind) ids(all []watch.ObjectRef) iter.Seq[store.ID] {
	return func(yield func(store.ID) bool) {
		for _, ref := range all {
			if !yield(k.refID(ref)) {
				return
			}
		}
	}
}
