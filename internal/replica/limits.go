package replica

import (
	"github.com/statefleet/statefleet/resources"
	"github.com/statefleet/statefleet/store"
)

// limits bound the objects of a kind; 0 means no limit. Held objects stay, and further ones are
// left out. A list names objects in the order of namespace and name, so the same objects are left
// out by each list. Only a namespace that holds more objects than others has some evicted; see
// shares.
type limits struct {
	objects, bytes int64
	object         int64 // bytes of a single object; always limited
}

// any reports whether the kind has a limit on its objects or on their text.
func (l limits) any() bool { return l.objects > 0 || l.bytes > 0 }

// text is the limit on the text of an object. It never exceeds the limit of the kind: an object
// that reaches that one is left out whole, because its first families alone would fill it.
func (l limits) text() int64 {
	if l.bytes > 0 {
		return min(l.bytes, l.object)
	}
	return l.object
}

// tooLarge reports whether the text of an object exceeds the limit of the whole kind.
func (l limits) tooLarge(lines *resources.Lines) bool {
	return len(lines.Omitted) > 0 && l.bytes > 0 && l.bytes < l.object
}

// fits reports whether there is room for the text of an object that is not held.
func (l limits) fits(held store.Stats, lines *resources.Lines) bool {
	return l.bytes == 0 || held.HeldTextBytes+int64(len(lines.Buf)) <= l.bytes
}

// objectsOnly reports whether one object less would make room.
func (l limits) objectsOnly(s store.Stats) bool { return l.bytes == 0 || s.HeldTextBytes < l.bytes }

// full reports whether there is no room for an object that is not held.
func (l limits) full(s store.Stats) bool {
	return l.objects > 0 && int64(s.Objects+s.HiddenObjects) >= l.objects || l.bytes > 0 && s.HeldTextBytes >= l.bytes
}

// exceeded reports whether the last change has raised the text above the limit. An object that does
// not grow never does.
func (l limits) exceeded(before, after store.Stats) bool {
	return l.bytes > 0 && after.HeldTextBytes > l.bytes && after.HeldTextBytes > before.HeldTextBytes
}

// limitReached reports whether there is no room for one more object, or for the smallest one of each
// Reflector that was rejected because of its text since the last list but one. The store never
// reaches --byte-limit exactly, so only that size tells whether the limit is reached.
func (k *kind) limitReached(s store.Stats) bool {
	if k.limits.full(s) {
		return true
	}
	for i := range k.rejected {
		if k.limits.bytes > 0 && k.rejected[i].Load() > k.limits.bytes-s.HeldTextBytes {
			return true
		}
	}
	return false
}
