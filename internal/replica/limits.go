package replica

import (
	"slices"
	"sync/atomic"

	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/store"
)

// limits bound the objects of a kind; 0 means no bound. Held objects stay, and
// what would go beyond is left out: so which objects are left out does not change
// from one list to the next, and a list begins with the first by namespace and name.
// Only a namespace that holds more objects than others gives place to them; see shares.
type limits struct {
	objects, bytes int64
	object         int64 // bytes of a single object; there is always a bound
}

// any reports whether the kind has a limit on its objects or on their text.
func (l limits) any() bool { return l.objects > 0 || l.bytes > 0 }

// text is the bound on the text of an object. One of which more than the kind may hold is
// asked is left out as a whole, since it would fill the kind's limit with a part of it.
func (l limits) text() int64 {
	if l.bytes > 0 {
		return min(l.bytes, l.object)
	}
	return l.object
}

// tooLarge reports whether an object with these lines can never find room.
func (l limits) tooLarge(lines *resources.Lines) bool {
	return len(lines.Omitted) > 0 && l.bytes > 0 && l.bytes < l.object
}

// fits reports whether there is room for the text of an object that is not held.
func (l limits) fits(held store.Stats, lines *resources.Lines) bool {
	return l.bytes == 0 || held.HeldTextBytes+int64(len(lines.Buf)) <= l.bytes
}

// objectsOnly reports whether there would be room if there were one object less.
func (l limits) objectsOnly(s store.Stats) bool { return l.bytes == 0 || s.HeldTextBytes < l.bytes }

// full reports whether an object that is not held finds no room.
func (l limits) full(s store.Stats) bool {
	return l.objects > 0 && int64(s.Objects+s.HiddenObjects) >= l.objects || l.bytes > 0 && s.HeldTextBytes >= l.bytes
}

// exceeded reports whether what was put last has taken the text beyond the bound.
// An object that becomes no larger does not.
func (l limits) exceeded(before, after store.Stats) bool {
	return l.bytes > 0 && after.HeldTextBytes > l.bytes && after.HeldTextBytes > before.HeldTextBytes
}

// limitReached reports whether there is no room for one more object, or for the smallest one that
// was rejected.
func (k *kind) limitReached(s store.Stats) bool {
	if k.limits.full(s) {
		return true
	}
	room := k.limits.bytes - s.HeldTextBytes
	return k.limits.bytes > 0 && slices.ContainsFunc(k.rejected, func(r *rejectedSize) bool { return r.bytes.Load() > room })
}

// rejectedSize is the size of the smallest object of a Reflector whose text found no room, since
// the last list but one; 0 for none. Text that is left out leaves room for less than it, so its
// size is the only sign that --byte-limit is reached. Safe for concurrent use.
type rejectedSize struct{ bytes atomic.Int64 }

// note is called by one goroutine at a time.
func (r *rejectedSize) note(bytes int64) {
	if smallest := r.bytes.Load(); smallest == 0 || bytes < smallest {
		r.bytes.Store(bytes)
	}
}

func (r *rejectedSize) clear() { r.bytes.Store(0) }
