package replica

import (
	"maps"
	"slices"

	"github.com/statefleet/statefleet/store"
	"github.com/statefleet/statefleet/watch"
)

// shares know which objects of a kind each namespace holds, so that no namespace fills
// --object-limit at the expense of others. An object that finds no room takes the place of
// one of the namespace that holds the most, if that one still holds no fewer afterwards than
// its own does. So what is held tends to equal shares, and does not change from one list to
// the next: once no namespace holds two objects more than one that wants room, nothing moves.
//
// An object that has gone is known here until settle, since objects leave the store in many
// ways. The kind's room guards shares. The zero value is ready.
type shares struct {
	byNamespace map[string][]store.ID // in the order in which they came
	known       map[store.ID]struct{}
	largest     string // the namespace that holds the most; "" until it is looked for
}

// add notes an object that is held now.
func (s *shares) add(namespace []byte, id store.ID) {
	if _, known := s.known[id]; known {
		return
	}
	if s.known == nil {
		s.known, s.byNamespace = map[store.ID]struct{}{}, map[string][]store.ID{}
	}
	s.known[id] = struct{}{}
	s.byNamespace[string(namespace)] = append(s.byNamespace[string(namespace)], id)
	s.largest = ""
}

// settle forgets the objects that are not held any more. held is how many there are.
func (s *shares) settle(held int, holds func(store.ID) bool) {
	if held == len(s.known) {
		return
	}
	s.largest = ""
	for namespace, objects := range s.byNamespace {
		objects = slices.DeleteFunc(objects, func(id store.ID) bool {
			gone := !holds(id)
			if gone {
				delete(s.known, id)
			}
			return gone
		})
		s.byNamespace[namespace] = objects
		if len(objects) == 0 {
			delete(s.byNamespace, namespace)
		}
	}
}

// surplus returns the namespace that has to give place to an object of another one, if any has.
func (s *shares) surplus(namespace []byte) (from string, ok bool) {
	if s.largest == "" {
		// The names decide between equals, so that the choice does not depend on chance.
		for _, name := range slices.Sorted(maps.Keys(s.byNamespace)) {
			if len(s.byNamespace[name]) > len(s.byNamespace[s.largest]) {
				s.largest = name
			}
		}
	}
	return s.largest, len(s.byNamespace[s.largest]) >= len(s.byNamespace[string(namespace)])+2
}

// take removes the object of a namespace that came last.
func (s *shares) take(namespace string) store.ID {
	objects := s.byNamespace[namespace]
	last := objects[len(objects)-1]
	s.byNamespace[namespace] = objects[:len(objects)-1]
	delete(s.known, last)
	s.largest = ""
	return last
}

// noteRoom notes that an object has found room. The caller holds k.room.
func (k *kind) noteRoom(o watch.Object, id store.ID, source uint32) {
	if k.limits.objects > 0 {
		k.shares.add(o.Namespace, id)
	}
	k.refusals.forget(source, id)
}

// canGivePlace reports whether an object of another namespace has to give place to this one.
func (k *kind) canGivePlace(o watch.Object, held store.Stats) bool {
	if k.limits.objects == 0 || !k.limits.objectsOnly(held) {
		return false
	}
	k.shares.settle(held.Objects+held.Hidden, k.store.Known)
	_, ok := k.shares.surplus(o.Namespace)
	return ok
}

// givePlace removes the object for which canGivePlace was true.
func (k *kind) givePlace(o watch.Object) {
	from, ok := k.shares.surplus(o.Namespace)
	if !ok {
		return
	}
	k.evicted.Store(true)
	k.store.Delete(k.shares.take(from))
	k.counters.overLimit.Inc()
	k.crowded.Do(func() {
		k.logger.Warn("--object-limit is reached, and an object of the namespace that holds the most is left out for one of another; further ones are only counted",
			"namespace", from)
	})
}
