package store

import "time"

// patchesLast is how many times as long as a page has to be quiet changes may lie on
// a packed one. Gzip scrapes pack them sooner; what is hidden, or read as text only,
// would gather them for ever.
const patchesLast = 5

// Sweep does what can wait: it removes what Expire held long enough, packs the pages that were not
// written for quiet, and merges buckets that are half empty. The owner calls it every few seconds and says what time it is; quiet should
// be long enough (a minute) that a page which is written often is not opened
// for each write.
func (s *Store) Sweep(quiet time.Duration, now time.Time) {
	s.RemoveExpired(now)
	age := s.age(now)
	due := func(r *raw) bool {
		if r.written == 0 {
			r.written = age
		}
		return age-r.written >= quiet
	}
	for _, b := range s.bucketsWith(func(t totals) bool { return t.raw > 0 }) {
		s.packBucket(b, due)
	}
	for _, b := range s.bucketsWith(func(t totals) bool { return t.patched > 0 }) {
		for _, sh := range s.patchedFor(b, patchesLast*quiet, age) {
			sh.pack()
		}
	}
	s.merge()
}

func (s *Store) bucketsWith(has func(totals) bool) []*bucket {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*bucket
	for _, b := range s.table {
		if b != nil && has(b.totals) {
			found = append(found, b)
		}
	}
	return found
}

// patchedFor are the pages of a bucket that have had changes on top for so long.
func (s *Store) patchedFor(b *bucket, long, age time.Duration) (found []*sheet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sh := range b.pages {
		if sh == nil || sh.raw.Load() != nil {
			continue
		}
		t := sh.packed.Load().patch
		if t == nil {
			continue
		}
		if t.seen == 0 {
			t.seen = age
		}
		if age-t.seen >= long {
			t.frozen = true
			found = append(found, sh)
		}
	}
	return found
}

// merge moves the objects of half-empty buckets together, two buckets at a
// time. While objects are sorted into parts it does nothing.
func (s *Store) merge() {
	if !s.change.TryLock() {
		return
	}
	defer s.change.Unlock()
	var into [MaxParts]*bucket
	s.eachBucket(func(b *bucket) {
		if b.count() > slotsPerBucket/2 {
			return
		}
		dst := into[b.part]
		if dst != nil && dst.pages != nil && dst.room() >= b.count() && dst.totals.text+b.totals.text <= bucketText {
			s.move(b, b.used, dst)
			b = dst
		}
		into[b.part] = b
	})
}
