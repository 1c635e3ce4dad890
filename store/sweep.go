package store

import "time"

// patchQuietFactor times the quiet time is how long a patch may exist before a sweep merges it. A
// gzip scrape merges it earlier. Patches of hidden blocks, or without gzip scrapes, would otherwise
// grow without end.
const patchQuietFactor = 5

// Sweep does periodic maintenance: it removes expired objects, compresses the blocks that were not
// written for the quiet time, merges old patches, and merges half-empty buckets. The owner calls it
// every few seconds with the current time. quiet should be so long (a minute) that a frequently
// written block is not decompressed for every write.
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

// agedPatches returns the blocks of a bucket whose patches have at least the given age.
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

// mergeBuckets merges half-empty buckets, two at a time. It does nothing while SetPartitioning,
// SetVisible or Save is running.
func (s *Store) mergeBuckets() {
	if !s.partitionMu.TryLock() {
		return
	}
	defer s.partitionMu.Unlock()
	if s.isSaving() {
		return
	}
	var targets [maxPartitions]*bucket
	s.eachBucket(func(b *bucket) {
		if b.count() > slotsPerBucket/2 {
			return
		}
		dst := targets[b.partition]
		if dst != nil && dst.blocks != nil && dst.freeSlots() >= b.count() &&
			dst.totals.text+b.totals.text <= maxBucketText {
			s.moveObjects(b, b.used, dst)
			b = dst
		}
		targets[b.partition] = b
	})
}

// isSaving reports whether Save is running. It cannot begin while the caller holds partitionMu.
func (s *Store) isSaving() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.saving > 0
}
