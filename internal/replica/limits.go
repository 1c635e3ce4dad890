package replica

import "github.com/statefleet/statefleet/store"

// limits bound what is held of a kind; 0 means no bound. What is held stays, and
// what would go beyond is left out: so which objects are left out does not change
// from one list to the next, and a list begins with the first by namespace and name.
type limits struct{ objects, bytes int64 }

// keepOut reports whether an object that is not held finds no room.
func (l limits) keepOut(s store.Stats) bool {
	return l.objects > 0 && int64(s.Objects+s.Hidden) >= l.objects || l.bytes > 0 && s.HeldBytes >= l.bytes
}

// exceeded reports whether what was put last has taken the text beyond the bound.
// An object that becomes no larger does not.
func (l limits) exceeded(before, after store.Stats) bool {
	return l.bytes > 0 && after.HeldBytes > l.bytes && after.HeldBytes > before.HeldBytes
}

// reached reports whether there is no room for one more object, or for any of those
// that were left out.
func (l limits) reached(s store.Stats, r *refusals) bool {
	return l.keepOut(s) || l.bytes > 0 && r.unfit(l.bytes-s.HeldBytes)
}
