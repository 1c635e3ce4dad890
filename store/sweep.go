package store

import "time"

// A sweep looks at hardenLook buckets for pages to pack harder and packs some
// hardenLeast plus one in hardenShare of all, at some 0.1 ms each. All pages take
// two thousand sweeps: there is no hurry, and a store of 280,000 objects would
// spend more on it than on its events otherwise.
const (
	hardenLook  = 64
	hardenLeast = 8
	hardenShare = 2048
)

// SettledAfter is how many sweeps a page that was packed fast has to live for
// it to be worth more: what is packed again before had better not be packed
// hard. What was there when the store was loaded is taken for settled.
const SettledAfter = 60

// patchesLast is how many times as long as a page has to be quiet changes may lie on
// a packed one. Gzip scrapes pack them sooner; what is hidden, or read as text only,
// would gather them for ever.
const patchesLast = 5

// Sweep does what can wait: it removes what Expire held long enough, packs the pages that were not written for quiet,
// merges buckets that are half empty, and packs some settled pages harder.
// The owner calls it every few seconds and says what time it is; quiet should
// be long enough (a minute) that a page which is written often is not opened
// for each write.
func (s *Store) Sweep(quiet time.Duration, now time.Time) {
	s.RemoveExpired(now)
	s.mu.Lock()
	s.sweeps++
	s.mu.Unlock()
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
	s.harden()
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

// harden packs some pages once more, harder: text is read more often than it
// changes, but packing hard takes twice the time.
func (s *Store) harden() {
	look, pages := s.hardenable()
	left := hardenLeast + pages/hardenShare
	for i := 0; i < look && left > 0; i++ {
		if b := s.nextToHarden(); b != nil {
			left -= s.hardenBucket(b)
		}
	}
}

// hardenable is how many buckets one sweep looks at, and how many packed pages
// there are in all.
func (s *Store) hardenable() (look, pages int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return min(len(s.table), hardenLook), s.shownTotals.packedPages + s.hiddenTotals.packedPages
}

// nextToHarden goes round the buckets; nil for a hole in the table.
func (s *Store) nextToHarden() *bucket {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hardened = (s.hardened + 1) % len(s.table)
	return s.table[s.hardened]
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
