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
	due := func(blk *block) bool {
		e, wait := blk.editState(), quiet
		if e == nil {
			return false
		}
		if !blk.isRaw() {
			wait *= patchQuietFactor
		}
		if e.sweptAt == 0 {
			e.sweptAt = age
		}
		return age-e.sweptAt >= wait
	}
	var edited []*bucket
	s.eachBucket(func(b *bucket) {
		if b.totals.raw > 0 || b.totals.patched > 0 {
			edited = append(edited, b)
		}
	})
	for _, b := range edited {
		s.compressBucket(b, due)
	}
	s.mergeBuckets()
}

// mergeBuckets merges half-empty buckets, two at a time. It does nothing while SetPartitioning,
// SetVisible, Show or Save is running.
func (s *Store) mergeBuckets() {
	if !s.partitionMu.TryLock() {
		return
	}
	defer s.partitionMu.Unlock()
	if s.saving.Load() > 0 {
		return
	}
	targets := map[group]*bucket{}
	s.eachBucket(func(b *bucket) {
		if b.count() > slotsPerBucket/2 {
			return
		}
		dst := targets[b.group]
		if dst != nil && dst.blocks != nil && dst.freeSlots() >= b.count() &&
			dst.totals.text+b.totals.text <= maxBucketText {
			s.moveObjects(b, b.used, dst)
			b = dst
		}
		targets[b.group] = b
	})
}
