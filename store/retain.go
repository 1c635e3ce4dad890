package store

import "iter"

// Retain takes a complete list of what a source had at a version, 0 when that is
// unknown: every other object of that source goes. It returns how many went. An
// object that is put while Retain runs stays, and so does one that is newer than
// the list, which cannot know of it, and one that Expire holds.
func (s *Store) Retain(source uint32, version uint64, ids iter.Seq[ID]) int {
	s.mu.Lock()
	s.round++
	round := s.round
	s.mu.Unlock()

	for id := range ids {
		s.mu.Lock()
		if b, i, held := s.find(id); held {
			b.slots[i].round = s.round
		}
		s.mu.Unlock()
	}

	gone := 0
	for _, id := range s.unnamed(source, round) {
		s.mu.Lock()
		if b, i, held := s.find(id); held && b.slots[i].passed(source, round) && (version == 0 || b.slots[i].version <= version) {
			s.remove(b, 1<<i)
			gone++
		}
		s.mu.Unlock()
		s.budget.enforce()
	}
	return gone
}

// passed says that the object is the source's and was neither named nor put
// since the round began.
func (sl *slot) passed(source, round uint32) bool {
	return sl.source == source && int32(sl.round-round) < 0 // rounds may wrap
}

// unnamed finds the objects to remove by ID: by the time they are removed they
// may have moved.
func (s *Store) unnamed(source, round uint32) []ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []ID
	for _, b := range s.table {
		if b == nil {
			continue
		}
		for i := range slotsOf(b.used) {
			sl := &b.slots[i]
			if _, expiring := s.expiring[sl.id]; !expiring && sl.passed(source, round) {
				ids = append(ids, sl.id)
			}
		}
	}
	return ids
}
