package store

import "math/bits"

// Begin starts a change of shard; now and next say by hash which objects are
// in the shard before and after it. From here an object in next only is held
// but not served, and one in neither is dropped. Those in now only are served
// until Commit and moved, bucket by bucket, into buckets of their own, so that
// Commit is instant; Begin returns when that is done. A second Begin replaces
// the change under way. Both functions must be pure and not call the store.
func (s *Store) Begin(now, next func(hash uint64) bool) {
	s.change.Lock()
	defer s.change.Unlock()
	s.mu.Lock()
	s.now, s.next, s.loading = now, next, true
	s.mu.Unlock()
	s.eachBucket(s.sort)
}

// Commit ends the change of shard at once: what had been arriving is served,
// what had been leaving is dropped. Without a change it does no more than to say
// that the store is loaded: from here a bucket that fills is not packed at once,
// because what is new is likely to change again.
func (s *Store) Commit() { s.finish(leaving) }

// Abort ends the change of shard the other way: what had been arriving is
// dropped, what had been leaving stays. Without a change it does nothing.
func (s *Store) Abort() { s.finish(arriving) }

func (s *Store) finish(dropped role) {
	s.change.Lock()
	defer s.change.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now, s.next, s.loading = nil, nil, false
	for _, b := range s.table {
		switch {
		case b == nil:
		case b.role == dropped:
			s.remove(b, b.used)
		case b.role != staying:
			s.setRole(b, staying)
		}
	}
}

// roleOf is the role of an object; mine is false when the shard neither has it
// nor gets it.
func (s *Store) roleOf(hash uint64) (r role, mine bool) {
	if s.now == nil {
		return staying, true
	}
	switch is, will := s.now(hash), s.next(hash); {
	case is && will:
		return staying, true
	case is:
		return leaving, true
	default:
		return arriving, will
	}
}

// sort leaves the objects of one role in the bucket, those of the role most
// have, and moves the others to buckets of theirs. The caller holds s.mu.
func (s *Store) sort(b *bucket) {
	var masks [roles]uint64
	var foreign uint64
	for i := range slotsOf(b.used) {
		if r, mine := s.roleOf(b.slots[i].hash); mine {
			masks[r] |= 1 << i
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
	most := staying
	for r, mask := range masks {
		if bits.OnesCount64(mask) > bits.OnesCount64(masks[most]) {
			most = role(r)
		}
	}
	s.setRole(b, most)
	for r, mask := range masks {
		for role(r) != most && mask != 0 {
			dst := s.target(role(r))
			part := lowest(mask, dst.room())
			s.move(b, part, dst)
			mask &^= part
		}
	}
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
