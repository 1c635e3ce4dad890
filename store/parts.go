package store

import "math/bits"

// Part is a part of what a store holds that is shown or hidden as a whole: 0
// to MaxParts-1.
type Part uint8

// MaxParts is how many parts there can be.
const MaxParts = 32

// Parts is a set of parts.
type Parts uint32

// PartsOf returns the set of the parts that a function admits.
func PartsOf(admits func(Part) bool) (all Parts) {
	for p := range Part(MaxParts) {
		if admits(p) {
			all |= 1 << p
		}
	}
	return all
}

func (p Parts) has(part Part) bool { return p>>part&1 == 1 }

// division says which part an object belongs to. It is replaced, never changed.
type division struct {
	part func(hash uint64) (p Part, held bool)
}

// undivided is the division of a new store.
func undivided(uint64) (Part, bool) { return 0, true }

// Divide sorts what is held, and what is put from here, into parts, so that Show
// can show and hide them at once. part says by hash where an object belongs; one
// that is not held in any part is dropped. shown are the parts that are shown
// from here.
//
// Objects are sorted bucket by bucket, and Divide returns when all are. So that
// readers see no half of it, what is shown should be in a part that is shown,
// and what is hidden in one that is hidden. part must be pure and not call the
// store.
//
// Until Loaded is called, the store takes it that objects arrive in bulk.
func (s *Store) Divide(part func(hash uint64) (p Part, held bool), shown Parts) {
	s.change.Lock()
	defer s.change.Unlock()
	s.mu.Lock()
	s.division, s.shown, s.loading = &division{part}, shown, true
	s.mu.Unlock()
	s.eachBucket(s.sort)
}

// Show shows these parts from here and hides all others, at once.
func (s *Store) Show(shown Parts) {
	s.change.Lock()
	defer s.change.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown = shown
	for _, b := range s.table {
		if b != nil {
			s.assign(b, b.part)
		}
	}
}

// Loaded says that no more objects arrive in bulk: from here a bucket that fills
// is not packed at once, because what is new is likely to change again.
func (s *Store) Loaded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loading = false
}

// assign makes the bucket one of a part.
func (s *Store) assign(b *bucket, p Part) {
	b.division, b.part = s.division, p
	if shown := s.shown.has(p); shown != b.shown {
		s.totalsOf(b).add(b.totals.negative())
		b.shown = shown
		s.totalsOf(b).add(b.totals)
	}
}

// in says whether the bucket takes objects of the part.
func (s *Store) in(b *bucket, p Part) bool { return b.division == s.division && b.part == p }

// sort leaves the objects of one part in the bucket, the part that most belong
// to, and moves the others to buckets of theirs. The caller holds s.mu.
func (s *Store) sort(b *bucket) {
	if b.division == s.division { // made since
		return
	}
	var masks [MaxParts]uint64
	var foreign uint64
	for i := range slotsOf(b.used) {
		if p, held := s.division.part(b.slots[i].hash); held {
			masks[p] |= 1 << i
		} else {
			foreign |= 1 << i
		}
	}
	if foreign != 0 {
		s.remove(b, foreign)
	}
	if b.used == 0 {
		return
	}
	most := 0
	for p, mask := range masks {
		if bits.OnesCount64(mask) > bits.OnesCount64(masks[most]) {
			most = p
		}
	}
	for p, mask := range masks {
		for p != most && mask != 0 {
			dst := s.target(Part(p))
			part := lowest(mask, dst.room())
			s.move(b, part, dst)
			mask &^= part
		}
	}
	s.assign(b, Part(most))
}

// lowest are the lowest n bits that are set in the mask.
func lowest(mask uint64, n int) (part uint64) {
	for i := range slotsOf(mask) {
		if n == 0 {
			break
		}
		part |= 1 << i
		n--
	}
	return part
}

// eachBucket visits the buckets one by one, each under s.mu. Buckets that are
// made meanwhile may be missed.
func (s *Store) eachBucket(visit func(b *bucket)) {
	for n, more := 0, true; more; n++ {
		s.mu.Lock()
		more = n < len(s.table)
		if more && s.table[n] != nil {
			visit(s.table[n])
		}
		s.mu.Unlock()
		s.budget.enforce()
	}
}
