package replica

import (
	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/store"
)

// outcome is the result of handling one version of an object. It is a label of
// statefleet_updates_total.
type outcome string

// The outcomes. Only changed and unchanged versions are stored.
const (
	changed    outcome = "changed"    // stored, with other text than before
	unchanged  outcome = "unchanged"  // stored, with the same text
	stale      outcome = "stale"      // not newer than the stored version
	deleted    outcome = "deleted"    // not newer than the object's deletion
	superseded outcome = "superseded" // not newer than another object with the same name
	overLimit  outcome = "over_limit" // a limit is reached
	failed     outcome = "failed"     // cannot be rendered
)

var outcomes = [...]outcome{changed, unchanged, stale, deleted, superseded, overLimit, failed}

// Owns implements watch.Handler: the object's hash is in the held ranges and its namespace is
// selected. Other objects are neither decoded nor counted here.
func (h *handler) Owns(hash uint64, namespace []byte) bool {
	return h.kind.held().Contains(hash) && (h.namespaces == nil || h.namespaces[string(namespace)])
}

// admit decides whether a version of an owned object is accepted. It returns "" if so, otherwise
// the reason against it, and changes nothing. The object's text is not known yet; put rejects the
// object if the text exceeds a limit.
func (h *handler) admit(o watch.Object, v store.Version) outcome {
	k := h.kind
	switch {
	case k.store.HasVersion(v.ID, v.Version):
		return stale
	case k.tombstones.covers(v.ID, v.Version), h.absentFromList(v):
		return deleted
	case k.hasNewerNamesake(o, v):
		return superseded
	case !k.hasRoom(o, v.ID):
		return overLimit
	}
	return ""
}

// absentFromList reports whether an object that is not stored is older than a complete list. The
// list would have named the object, so the object had been deleted by then, and the API server that
// sends it now is behind. The list proves nothing about ranges that were added since, nor about
// objects that were evicted or rejected.
func (h *handler) absentFromList(v store.Version) bool {
	k := h.kind
	return v.Version != 0 && v.Version <= h.completeAt && !k.evicted.Load() && h.held == k.held() && !k.store.Contains(v.ID)
}

// hasNewerNamesake reports whether another object has the same name and is not older. When an
// object is deleted and another one created under its name, the events may arrive in either order.
func (k *kind) hasNewerNamesake(o watch.Object, v store.Version) bool {
	other, ok := k.names.owner(o)
	return ok && other != v.ID && k.store.HasVersion(other, v.Version)
}

// hasRoom reports whether the limits of the kind admit an object: it replaces a stored one, there
// is room for one more, or an object of another namespace can be evicted; see shares.
func (k *kind) hasRoom(o watch.Object, id store.ID) bool {
	if !k.limits.any() || k.store.Contains(id) {
		return true
	}
	if other, ok := k.names.owner(o); ok && k.store.Contains(other) {
		return true
	}
	held := k.store.Stats()
	return !k.limits.full(held) || k.mayEvict(o, held)
}
