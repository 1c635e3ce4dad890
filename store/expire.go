package store

import "time"

// Expire is Delete for an object whose last state stays on the page until a given
// time. Collecting pages does not shorten the stay: one scrape more or less, or a
// scrape that was cut off, changes nothing for the others. A repeated deletion does
// not prolong it. A newer version that is put, which only a mistaken caller would do,
// revives the object.
func (s *Store) ExpireAt(id ID, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, _, held := s.find(id); !held {
		return
	}
	if _, already := s.expiring[id]; !already {
		s.expiring[id] = s.age(until)
	}
}

// Expiring reports whether the object is deleted and held until its time is over.
func (s *Store) IsExpiring(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, is := s.expiring[id]
	return is
}

// RemoveExpired removes the objects whose time is over. Sweep calls it; call it before
// Collect as well for a page that is exact.
func (s *Store) RemoveExpired(now time.Time) {
	for _, id := range s.expiredIDs(s.age(now)) {
		s.removeIfExpired(id)
	}
}

// expired removes an object, unless a newer version has come meanwhile.
func (s *Store) removeIfExpired(id ID) {
	s.mu.Lock()
	if _, still := s.expiring[id]; still {
		b, i, _ := s.find(id)
		s.remove(b, 1<<i)
	}
	s.mu.Unlock()
	s.budget.evict()
}

func (s *Store) expiredIDs(age time.Duration) []ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []ID
	for id, until := range s.expiring {
		if age >= until {
			ids = append(ids, id)
		}
	}
	return ids
}
