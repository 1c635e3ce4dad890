package replica

import (
	"sync/atomic"

	"github.com/statefleet/statefleet/store"
)

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

// refusal is the object that was last left out of a kind because its text found no
// room. Text that is left out leaves room for less than it, and so is the only sign
// that --byte-limit is reached. Safe for concurrent use.
type refusal struct{ last atomic.Pointer[refused] }

type refused struct {
	id    store.ID
	bytes int64
}

func (r *refusal) note(id store.ID, bytes int64) { r.last.Store(&refused{id, bytes}) }

// forget is for an object that is held now, or gone.
func (r *refusal) forget(id store.ID) {
	if last := r.last.Load(); last != nil && last.id == id {
		r.last.CompareAndSwap(last, nil)
	}
}

// clear is for a list of which nothing was left out.
func (r *refusal) clear() { r.last.Store(nil) }

// reached reports whether there is no room for one more object, or for the one that
// was left out last.
func (l limits) reached(s store.Stats, r *refusal) bool {
	last := r.last.Load()
	return l.keepOut(s) || last != nil && s.HeldBytes+last.bytes > l.bytes
}
