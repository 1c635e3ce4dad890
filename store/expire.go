package store

import "time"

// ExpireAt is Delete for an object whose last state stays visible until a given time. Snapshots do
// not shorten that time, so an extra or aborted scrape changes nothing for the other clients. A
// repeated call does not prolong it. Putting a newer version cancels the expiry.
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

// IsExpiring reports whether the object is deleted but kept until its expiry time.
func (s *Store) IsExpiring(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, expiring := s.expiring[id]
	return expiring
}

// RemoveExpired removes the objects whose expiry time has passed. Sweep calls it. Call it before
// TakeSnapshot as well if the snapshot has to be exact.
func (s *Store) RemoveExpired(now time.Time) {
	for _, id := range s.expiredIDs(s.age(now)) {
		s.removeIfExpired(id)
	}
}

// removeIfExpired removes an object unless a newer version has cancelled the expiry meanwhile.
func (s *Store) removeIfExpired(id ID) {
	s.mu.Lock()
	if _, expiring := s.expiring[id]; expiring {
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
