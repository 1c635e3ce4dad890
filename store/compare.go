package store

import "iter"

// Comparison compares the objects of one source with a complete list, which takes a while to read.
// Its methods may be called concurrently.
type Comparison struct {
	store  *Store
	source uint32
	mark   uint32
}

// Version is one version of an object.
type Version struct {
	ID      ID
	Version uint64 // as in Object
}

// Compare starts a comparison. Objects that are put from now on count as listed.
func (s *Store) Compare(source uint32) *Comparison {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mark++
	return &Comparison{store: s, source: source, mark: s.mark}
}

// Finding is the result of a Comparison for one listed object.
type Finding int

// The findings.
const (
	Matching Finding = iota // stored in the listed version, or put since the comparison started
	Missing                 // not stored, or only in an older version
	Newer                   // stored in a newer version already before the comparison started
)

// Observe records that the list contains an object, and compares its version with the stored one.
func (c *Comparison) Observe(v Version) Finding {
	s := c.store
	s.mu.Lock()
	defer s.mu.Unlock()
	b, i, held := s.find(v.ID)
	if !held {
		return Missing
	}
	slot := &b.slots[i]
	before := c.isExtra(slot)
	if before {
		slot.mark = c.mark // not s.mark: a newer list may not name the object
	}
	switch {
	case slot.version < v.Version:
		return Missing
	case slot.version > v.Version && before:
		return Newer
	}
	return Matching
}

// Extra returns the objects that were neither listed nor put since the comparison started, except
// expiring ones.
func (c *Comparison) Extra() (all []Version) {
	s := c.store
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.buckets {
		if b == nil {
			continue
		}
		for i := range slotsOf(b.used) {
			sl := &b.slots[i]
			if _, expiring := s.expiring[sl.id]; !expiring && c.isExtra(sl) {
				all = append(all, Version{ID: sl.id, Version: sl.version})
			}
		}
	}
	return all
}

// isExtra reports whether the object belongs to the source and was neither listed nor put since the
// comparison started. The caller holds s.mu.
func (c *Comparison) isExtra(sl *slot) bool {
	return sl.source == c.source && int32(sl.mark-c.mark) < 0 // the counter may wrap
}

// Retain removes all objects of a source except those in ids, a complete list that was taken at the
// given version (0 if unknown). It returns the number of removed objects. It keeps objects that
// were put while Retain runs, objects in a newer version than the list, and expiring objects.
func (s *Store) Retain(source uint32, version uint64, ids iter.Seq[ID]) int {
	c := s.Compare(source)
	for id := range ids {
		c.Observe(Version{ID: id})
	}
	removed := 0
	for _, v := range c.Extra() {
		s.mu.Lock()
		if b, i, held := s.find(v.ID); held && c.isExtra(&b.slots[i]) && (version == 0 || b.slots[i].version <= version) {
			s.remove(b, 1<<i)
			removed++
		}
		s.mu.Unlock()
		s.budget.evict()
	}
	return removed
}

// HasExactVersion reports whether the store holds exactly this version and the object is not
// expiring.
func (s *Store) HasExactVersion(v Version) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, i, held := s.find(v.ID)
	_, expiring := s.expiring[v.ID]
	return held && !expiring && b.slots[i].version == v.Version
}

// ResetVersions marks the versions of some objects as unknown. The next list then renders these
// objects again, in whatever version it has.
func (s *Store) ResetVersions(ids []ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if b, i, held := s.find(id); held {
			b.slots[i].version = 0
		}
	}
}

// ResetAllVersions marks the versions of all objects as unknown. Any version then replaces them,
// and a list without the object removes it. Call it when the API server's versions have started
// over.
func (s *Store) ResetAllVersions() {
	s.partitionMu.Lock() // no object may move to a bucket that was visited
	defer s.partitionMu.Unlock()
	s.eachBucket(func(b *bucket) {
		for i := range slotsOf(b.used) {
			b.slots[i].version = 0
		}
	})
}
