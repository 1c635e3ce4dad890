package store

// Audit compares what a store holds of one source with a complete list of it,
// which takes a while to read. The methods may be called concurrently.
type Audit struct {
	store  *Store
	source uint32
	round  uint32
}

// Version is one version of an object.
type Version struct {
	ID      ID
	Version uint64 // as in Object
}

// Audit begins to compare. What is put from here on counts as listed.
func (s *Store) Audit(source uint32) *Audit {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.round++
	return &Audit{store: s, source: source, round: s.round}
}

// Listed notes that the list names an object, and reports whether that version of
// it is held, or a newer one.
func (a *Audit) Listed(v Version) bool {
	s := a.store
	s.mu.Lock()
	defer s.mu.Unlock()
	b, i, held := s.find(v.ID)
	if !held {
		return false
	}
	b.slots[i].round = s.round
	return b.slots[i].version >= v.Version
}

// Unlisted returns what is held and was neither listed nor put since the audit
// began, but for what Expire holds.
func (a *Audit) Unlisted() []Version {
	s := a.store
	var all []Version
	for _, id := range s.unnamed(a.source, a.round) {
		s.mu.Lock()
		if b, i, held := s.find(id); held {
			all = append(all, Version{ID: id, Version: b.slots[i].version})
		}
		s.mu.Unlock()
	}
	return all
}

// Holds says whether exactly this version of an object is held, and not only to
// be seen once more.
func (s *Store) Holds(v Version) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, i, held := s.find(v.ID)
	_, expiring := s.expiring[v.ID]
	return held && !expiring && b.slots[i].version == v.Version
}
