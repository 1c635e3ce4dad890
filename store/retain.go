package store

import "iter"

// Retain takes a complete list of what a source had at a version, 0 when that is
// unknown: every other object of that source goes. It returns how many went. An
// object that is put while Retain runs stays, and so does one that is newer than
// the list, which cannot know of it, and one that Expire holds.
func (s *Store) Retain(source uint32, version uint64, ids iter.Seq[ID]) int {
	s.mu.Lock()
	s.mark++
	mark := s.mark
	s.mu.Unlock()

	for id := range ids {
		s.mu.Lock()
		if b, i, held := s.find(id); held {
			b.slots[i].mark = s.mark
		}
		s.mu.Unlock()
	}

	gone := 0
	for _, id := range s.unmarked(source, mark) {
		s.mu.Lock()
		if b, i, held := s.find(id); held && b.slots[i].unmarkedSince(source, mark) && (version == 0 || b.slots[i].version <= version) {
			s.remove(b, 1<<i)
			gone++
		}
		s.mu.Unlock()
		s.budget.evict()
	}
	return gone
}

// passed says that the object is the source's and was neither named nor put
// since the round began.
func (sl *slot) unmarkedSince(source, mark uint32) bool {
	return sl.source == source && int32(sl.mark-mark) < 0 // rounds may wrap
}

// unnamed finds the objects to remove by ID: by the time they are removed they
// may have moved.
func (s *Store) unmarked(source, mark uint32) []ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []ID
	for _, b := range s.buckets {
		if b == nil {
			continue
		}
		for i := range slotsOf(b.used) {
			sl := &b.slots[i]
			if _, expiring := s.expiring[sl.id]; !expiring && sl.unmarkedSince(source, mark) {
				ids = append(ids, sl.id)
			}
		}
	}
	return ids
}
