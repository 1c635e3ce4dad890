package replica

import (
	"slices"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/store"
)

// shares count the held objects of each namespace, so that no namespace fills --object-limit at the
// expense of others. At the limit, a new object evicts one of the namespace with the most objects,
// if that namespace has at least two more than the new object's. So the namespaces tend to equal
// shares, and every list leads to the same result: once no namespace has two objects more than
// another that has objects left out, nothing is evicted.
//
// An object that is deleted by an event leaves shares at once. One that leaves the store in another
// way stays until prune. The kind's room guards shares. The zero value is ready.
type shares struct {
	namespaces  map[store.ID]string // of the held objects
	byNamespace map[string]*share
	largest     string // the namespace with the most objects; "" if not known
}

// share has the held objects of one namespace.
type share struct {
	held  int
	order []store.ID // oldest first; may include removed objects
}

// add adds a held object.
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

// remove removes an object that is not held any more.
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

// prune removes objects that left the store without an event. held is the size of the store.
func (s *shares) prune(held int, holds func(store.ID) bool) {
	if len(s.namespaces) <= held {
		return
	}
	for id := range s.namespaces {
		if !holds(id) {
			s.remove(id)
		}
	}
}

// evictFrom returns the namespace with the most objects, and whether one of them is evicted in
// favour of an object of another namespace.
func (s *shares) evictFrom(namespace []byte) (from string, ok bool) {
	own := 0
	if n, ok := s.byNamespace[string(namespace)]; ok {
		own = n.held
	}
	most := 0
	if n, ok := s.byNamespace[s.largest]; ok && s.largest != "" {
		most = n.held
	} else {
		// Ties are decided by name, because the order of a map is random.
		for name, n := range s.byNamespace {
			if n.held > most || n.held == most && name < s.largest {
				s.largest, most = name, n.held
			}
		}
	}
	return s.largest, most >= own+2
}

// takeNewest removes the newest object of a namespace and returns it. The namespace must have one.
func (s *shares) takeNewest(namespace string) store.ID {
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

// removeFromShares removes an object that was deleted by an event.
func (k *kind) removeFromShares(id store.ID) {
	if k.limits.objects > 0 {
		k.room.Lock()
		defer k.room.Unlock()
		k.shares.remove(id)
	}
}

// mayEvict reports whether an object of another namespace can be evicted in favour of this one.
func (k *kind) mayEvict(o watch.Object, held store.Stats) bool {
	if k.limits.objects == 0 || !k.limits.objectsOnly(held) {
		return false
	}
	k.shares.prune(held.Objects+held.HiddenObjects, k.store.Contains)
	_, ok := k.shares.evictFrom(o.Namespace)
	return ok
}

// evict removes an object of the namespace with the most objects, if mayEvict allows it.
func (k *kind) evict(o watch.Object) {
	from, ok := k.shares.evictFrom(o.Namespace)
	if !ok {
		return
	}
	k.evicted.Store(true)
	k.store.Delete(k.shares.takeNewest(from))
	k.counters.updates[overLimit].Inc()
	if k.firstTimeIn(from, "eviction") {
		k.logger.Warn("an object was evicted because --object-limit is reached and its namespace has the most objects; further ones of the namespace are only counted",
			"namespace", from)
	}
}
