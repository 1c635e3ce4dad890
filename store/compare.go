package store

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
	before := slot.unmarkedSince(c.source, c.mark)
	if before {
		slot.mark = c.mark // not s.mark: Retain may have a newer list by now, and removes what that does not name
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
func (c *Comparison) Extra() []Version {
	s := c.store
	var all []Version
	for _, id := range s.unmarked(c.source, c.mark) {
		s.mu.Lock()
		if b, i, held := s.find(id); held {
			all = append(all, Version{ID: id, Version: b.slots[i].version})
		}
		s.mu.Unlock()
	}
	return all
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
