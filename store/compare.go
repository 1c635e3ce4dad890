package store

// Audit compares what a store holds of one source with a complete list of it,
// which takes a while to read. The methods may be called concurrently.
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

// Audit begins to compare. What is put from here on counts as listed.
func (s *Store) Compare(source uint32) *Comparison {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mark++
	return &Comparison{store: s, source: source, mark: s.mark}
}

// Finding is what an Audit says of one object of the list.
type Finding int

// The findings.
const (
	Matching Finding = iota // at the listed version, or at one that came since the audit began
	Missing                 // not at all, or only an older version
	Newer                   // a newer version, which was held before the list was asked for
)

// Listed notes that the list names an object, and compares it with what is held.
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
	slot.mark = s.mark
	switch {
	case slot.version < v.Version:
		return Missing
	case slot.version > v.Version && before:
		return Newer
	}
	return Matching
}

// Unlisted returns what is held and was neither listed nor put since the audit
// began, but for what Expire holds.
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

// Holds says whether exactly this version of an object is held, and the object is not
// deleted.
func (s *Store) HasExactVersion(v Version) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, i, held := s.find(v.ID)
	_, expiring := s.expiring[v.ID]
	return held && !expiring && b.slots[i].version == v.Version
}

// ForgetVersions makes the versions of some objects unknown ones: the next list has them
// rendered again, at whatever version they are.
func (s *Store) ResetVersions(ids []ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if b, i, held := s.find(id); held {
			b.slots[i].version = 0
		}
	}
}

// Forget makes every version that is held an unknown one: any other takes its
// place, and a list that does not name the object removes it. It is for an API
// server whose versions have begun anew.
func (s *Store) ResetAllVersions() {
	s.eachBucket(func(b *bucket) {
		for i := range slotsOf(b.used) {
			b.slots[i].version = 0
		}
	})
}
