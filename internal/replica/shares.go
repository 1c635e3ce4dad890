package replica

import (
	"slices"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/store"
)

// shares know which objects of a kind each namespace holds, so that no namespace fills
// --object-limit at the expense of others. An object that finds no room takes the place of
// one of the namespace that holds the most, if that one still holds no fewer afterwards than
// its own does. So the namespaces tend to equal shares, and the choice does not change from one list to
// the next: once no namespace holds two objects more than one that wants room, nothing moves.
//
// Objects leave the store in many ways. Those of which an event says so leave shares at once, the
// others with settle. The kind's room guards shares. The zero value is ready.
type shares struct {
	namespaces  map[store.ID]string // of the objects that are held
	byNamespace map[string]*share
	largest     string // the namespace that holds the most; "" until it is looked for
}

// share is what a namespace holds.
type share struct {
	held  int
	order []store.ID // in which they came, with some that have left since
}

// add notes an object that is held now.
func (s *shares) add(namespace []byte, id store.ID) {
	if _, known := s.namespaces[id]; known {
		return
	}
	if s.namespaces == nil {
		s.namespaces, s.byNamespace = map[store.ID]string{}, map[string]*share{}
	}
	n, ok := s.byNamespace[string(namespace)]
	if !ok {
		n = &share{}
		s.byNamespace[string(namespace)] = n
	}
	s.namespaces[id] = string(namespace)
	n.held++
	n.order = append(n.order, id)
	s.largest = ""
}

// remove notes that an object is not held any more.
func (s *shares) remove(id store.ID) {
	namespace, known := s.namespaces[id]
	if !known {
		return
	}
	delete(s.namespaces, id)
	s.largest = ""
	n := s.byNamespace[namespace]
	if n.held--; n.held == 0 {
		delete(s.byNamespace, namespace)
		return
	}
	if len(n.order) > 2*n.held {
		n.order = slices.DeleteFunc(n.order, func(id store.ID) bool { _, known := s.namespaces[id]; return !known })
	}
}

// settle removes the objects that have left without an event. held is how many there are.
func (s *shares) settle(held int, holds func(store.ID) bool) {
	if len(s.namespaces) <= held {
		return
	}
	for id := range s.namespaces {
		if !holds(id) {
			s.remove(id)
		}
	}
}

// surplus returns the namespace that has to give place to an object of another one, if any has.
func (s *shares) surplus(namespace []byte) (from string, ok bool) {
	own := 0
	if n, ok := s.byNamespace[string(namespace)]; ok {
		own = n.held
	}
	most := 0
	if n, ok := s.byNamespace[s.largest]; ok && s.largest != "" {
		most = n.held
	} else {
		// The names decide between equals, so that the choice does not depend on chance.
		for name, n := range s.byNamespace {
			if n.held > most || n.held == most && name < s.largest {
				s.largest, most = name, n.held
			}
		}
	}
	return s.largest, most >= own+2
}

// take removes the object of a namespace that came last. The namespace holds one at least.
func (s *shares) take(namespace string) store.ID {
	n := s.byNamespace[namespace]
	for i := len(n.order) - 1; ; i-- {
		last := n.order[i]
		if in, known := s.namespaces[last]; known && in == namespace {
			n.order = n.order[:i]
			s.remove(last)
			return last
		}
	}
}

// noteGone notes that an event has removed an object.
func (k *kind) noteGone(id store.ID) {
	if k.limits.objects > 0 {
		k.room.Lock()
		defer k.room.Unlock()
		k.shares.remove(id)
	}
}

// mayEvict reports whether an object of another namespace has to give place to this one.
func (k *kind) mayEvict(o watch.Object, held store.Stats) bool {
	if k.limits.objects == 0 || !k.limits.objectsOnly(held) {
		return false
	}
	k.shares.settle(held.Objects+held.HiddenObjects, k.store.Contains)
	_, ok := k.shares.surplus(o.Namespace)
	return ok
}

// evict removes an object of the namespace for which mayEvict was true.
func (k *kind) evict(o watch.Object) {
	from, ok := k.shares.surplus(o.Namespace)
	if !ok {
		return
	}
	k.evicted.Store(true)
	k.store.Delete(k.shares.take(from))
	k.counters.updates[overLimit].Inc()
	k.logFirstRejected.Do(func() {
		k.logger.Warn("--object-limit is reached, and an object of the namespace that holds the most is left out for one of another; further ones are only counted",
			"namespace", from)
	})
}
