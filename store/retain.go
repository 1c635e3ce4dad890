package store

import "iter"

// Retain removes all objects of a source except those in ids, a complete list that was taken at the
// given version (0 if unknown). It returns the number of removed objects. It keeps objects that
// were put while Retain runs, objects in a newer version than the list, and expiring objects.
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

	removed := 0
	for _, id := range s.unmarked(source, mark) {
		s.mu.Lock()
		if b, i, held := s.find(id); held && b.slots[i].unmarkedSince(source, mark) &&
			(version == 0 || b.slots[i].version <= version) {
			s.remove(b, 1<<i)
			removed++
		}
		s.mu.Unlock()
		s.budget.evict()
	}
	return removed
}

// unmarkedSince reports whether the object belongs to the source and was neither listed nor put
// since the mark was set.
func (sl *slot) unmarkedSince(source, mark uint32) bool {
	return sl.source == source && int32(sl.mark-mark) < 0 // the counter may wrap
}

// unmarked returns the IDs of the objects for which unmarkedSince is true, except expiring ones. An
// ID stays valid when its object moves to another slot.
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
