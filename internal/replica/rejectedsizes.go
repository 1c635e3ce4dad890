package replica

import (
	"sync"

	"github.com/statefleet/statefleet/store"
)

// rejectedSizes know how large the objects are at least that are left out of a kind because
// their text finds no room. Text that is left out leaves room for less than it, and so is
// the only sign that --byte-limit is reached. There may be any number of such objects, so
// only the smallest is kept, by Reflector, and renewed with each list: that tries all that
// is not held. The zero value is ready; safe for concurrent use.
type rejectedSizes struct {
	mu       sync.Mutex
	bySource map[uint32]*rejectedByList
}

// rejectedByList are the smallest object since the list before the last, and since the last.
// What was left out and is there still is among the former, since the last list has
// tried it again.
type rejectedByList struct{ known, next minRejected }

// minRejected is the smallest of the objects that were left out.
type minRejected struct {
	id     store.ID
	bytes  int64 // 0 while there is none
	others bool  // there were more than this one
}

func (s *minRejected) note(id store.ID, bytes int64) {
	switch {
	case s.bytes == 0 || s.id == id && !s.others:
		*s = minRejected{id: id, bytes: bytes}
	case bytes < s.bytes:
		*s = minRejected{id, bytes, true}
	default:
		s.others = true
	}
}

// forget is of no use while there are others: they are no smaller, and that is all that
// is known of them.
func (s *minRejected) forget(id store.ID) {
	if s.id == id && !s.others {
		*s = minRejected{}
	}
}

// note is for an object that has found no room.
func (r *rejectedSizes) note(source uint32, id store.ID, bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bySource == nil {
		r.bySource = map[uint32]*rejectedByList{}
	}
	s := r.bySource[source]
	if s == nil {
		s = new(rejectedByList)
		r.bySource[source] = s
	}
	s.known.note(id, bytes)
	s.next.note(id, bytes)
}

// forget is for an object that is held now, or gone.
func (r *rejectedSizes) forget(source uint32, id store.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.bySource[source]; s != nil {
		s.known.forget(id)
		s.next.forget(id)
	}
}

// listed is for a list that is complete.
func (r *rejectedSizes) listed(source uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.bySource[source]; s != nil {
		s.known, s.next = s.next, minRejected{}
	}
}

// noneFits reports whether none of the objects of one of the Reflectors fits into that many
// bytes.
func (r *rejectedSizes) noneFits(room int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.bySource {
		if s.known.bytes > room {
			return true
		}
	}
	return false
}
