package store

import "time"

// Expire is Delete for an object whose last state ought to be seen: it stays
// until a page was collected since its text last changed, but not beyond until.
// It goes with the Sweep after that, or at once when it was seen already. A
// newer version that is put, which only a mistaken caller would do, revives it.
func (s *Store) Expire(id ID, until time.Time) {
	s.mu.Lock()
	if b, i, held := s.find(id); held {
		if s.seen(&b.slots[i]) {
			s.remove(b, 1<<i)
		} else {
			s.expiring[id] = s.age(until)
		}
	}
	s.mu.Unlock()
	s.budget.enforce()
}

// Expiring says whether the object is held only to be seen.
func (s *Store) Expiring(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, is := s.expiring[id]
	return is
}

// seen says whether a page was collected since the text of the slot changed.
func (s *Store) seen(sl *slot) bool { return sl.changed != uint32(s.epoch) }

// bury removes what was held to be seen and has been, or was not in time.
func (s *Store) bury(now time.Time) {
	for _, id := range s.due(s.age(now)) {
		s.expired(id)
	}
}

// expired removes an object, unless a newer version has come meanwhile.
func (s *Store) expired(id ID) {
	s.mu.Lock()
	if _, still := s.expiring[id]; still {
		b, i, _ := s.find(id)
		s.remove(b, 1<<i)
	}
	s.mu.Unlock()
	s.budget.enforce()
}

func (s *Store) due(age time.Duration) []ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []ID
	for id, until := range s.expiring {
		if b, i, held := s.find(id); !held {
			delete(s.expiring, id)
		} else if age >= until || s.seen(&b.slots[i]) {
			ids = append(ids, id)
		}
	}
	return ids
}
