package store

import "time"

// patchesLast is how many times as long as a page has to be quiet changes may lie on
// a packed one. Gzip scrapes pack them sooner; what is hidden, or read as text only,
// would gather them for ever.
const patchQuietFactor = 5

// Sweep does what can wait: it removes what Expire held long enough, packs the pages that were not
// written for quiet, and merges buckets that are half empty. The owner calls it every few seconds and says what time it is; quiet should
// be long enough (a minute) that a page which is written often is not opened
// for each write.
func (s *Store) Sweep(quiet time.Duration, now time.Time) {
	s.RemoveExpired(now)
	age := s.age(now)
	due := func(r *rawText) bool {
		if r.quietSince == 0 {
			r.quietSince = age
		}
		return age-r.quietSince >= quiet
	}
	for _, b := range s.bucketsWith(func(t totals) bool { return t.raw > 0 }) {
		s.compressBucket(b, due)
	}
	for _, b := range s.bucketsWith(func(t totals) bool { return t.patched > 0 }) {
		for _, blk := range s.agedPatches(b, patchQuietFactor*quiet, age) {
			blk.compress()
		}
	}
	s.mergeBuckets()
}

func (s *Store) bucketsWith(has func(totals) bool) []*bucket {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*bucket
	for _, b := range s.buckets {
		if b != nil && has(b.totals) {
			found = append(found, b)
		}
	}
	return found
}

// patchedFor are the pages of a bucket that have had changes on top for so long.
func (s *Store) agedPatches(b *bucket, minAge, age time.Duration) (found []*block) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, blk := range b.blocks {
		if blk == nil || blk.raw.Load() != nil {
			continue
		}
		t := blk.compressed.Load().patch
		if t == nil {
			continue
		}
		if t.patchedSince == 0 {
			t.patchedSince = age
		}
		if age-t.patchedSince >= minAge {
			t.frozen = true
			found = append(found, blk)
		}
	}
	return found
}

// merge moves the objects of half-empty buckets together, two buckets at a
// time. While objects are sorted into parts it does nothing.
func (s *Store) mergeBuckets() {
	if !s.partitionMu.TryLock() {
		return
	}
	defer s.partitionMu.Unlock()
	var targets [maxPartitions]*bucket
	s.eachBucket(func(b *bucket) {
		if b.count() > slotsPerBucket/2 {
			return
		}
		dst := targets[b.partition]
		if dst != nil && dst.blocks != nil && dst.freeSlots() >= b.count() && dst.totals.text+b.totals.text <= maxBucketText {
			s.moveObjects(b, b.used, dst)
			b = dst
		}
		targets[b.partition] = b
	})
}
