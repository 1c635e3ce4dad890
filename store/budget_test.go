package store

import (
	"sync"
	"testing"
)

func TestRawBytesStayWithinBudget(t *testing.T) {
	const limit = 60_000
	budget := NewBudget(limit)
	stores := []*Store{New(testFamilies(10), budget), New(testFamilies(4), budget)}
	check := func() {
		t.Helper()
		if got := budget.RawBytes(); got > limit {
			t.Fatalf("%d raw bytes, want at most %d", got, limit)
		}
		equal(t, "sum over the stores", stores[0].Stats().RawBytes+stores[1].Stats().RawBytes, budget.RawBytes())
	}
	for n := range 1000 {
		putValue(stores[n%2], n, 1)
		check()
	}
	for n := range 1000 {
		if n%3 == 0 {
			stores[n%2].Delete(testID(n))
		} else {
			putValue(stores[n%2], n, 2)
		}
		check()
	}
	beginReshard(stores[0], everything, even)
	check()
	stores[0].Retain(0, 0, func(func(ID) bool) {})
	check()
	verify(t, stores[0])
	verify(t, stores[1])
}

func TestRawBytesStayWithinBudgetWithConcurrentWriters(t *testing.T) {
	const limit = 100_000
	budget := NewBudget(limit)
	var writers sync.WaitGroup
	stores := []*Store{New(testFamilies(10), budget), New(testFamilies(4), budget)}
	for w := range 4 {
		writers.Go(func() {
			for n := range 300 {
				putValue(stores[w%2], w*1000+n%200, uint64(n))
			}
		})
	}
	writers.Wait()
	if got := budget.RawBytes(); got > limit {
		t.Errorf("%d raw bytes, want at most %d", got, limit)
	}
	for _, s := range stores {
		verify(t, s)
		equal(t, "Objects", s.Stats().Objects, 400)
	}
}

func TestBulkLoadCompressesEveryBlockOnce(t *testing.T) {
	const families, buckets = 10, 20
	s := New(testFamilies(families), NewBudget(150_000)) // enough for a few buckets
	fill(s, 0, buckets*slotsPerBucket, 1)
	if compressions := s.Stats().Compressions; compressions == 0 {
		t.Error("nothing was compressed, so the budget was never exceeded")
	}
	equal(t, "Decompressions", s.Stats().Decompressions, 0)
	TakeSnapshot(Text, s).GzipSize()
	equal(t, "Compressions", s.Stats().Compressions, families*buckets)
}

func TestFullBucketIsCompressedAtOnceDuringBulkLoad(t *testing.T) {
	s := New(testFamilies(3), NewBudget(1<<30))
	fill(s, 0, slotsPerBucket+1, 1)
	equal(t, "RawBlocks", s.Stats().RawBlocks, 3) // those of the second bucket
	s.EndBulkLoad()
	fill(s, slotsPerBucket+1, 3*slotsPerBucket, 1)
	equal(t, "RawBlocks after the bulk load", s.Stats().RawBlocks, 6)
	verify(t, s)
}

func TestLeastRecentlyWrittenBucketIsEvictedFirst(t *testing.T) {
	s := New(testFamilies(3), NewBudget(1<<30))
	s.EndBulkLoad()
	fill(s, 0, 3*slotsPerBucket, 1)
	putValue(s, 0, 2) // now the first bucket is the last written
	s.budget.limit = s.budget.RawBytes() - 1
	s.budget.evict()
	for n, raw := range []bool{true, false, true} {
		equal(t, "the bucket has raw text", s.buckets[n].totals.raw > 0, raw)
	}
	verify(t, s)
}

// TestBudgetForgetsAbandonedStore also covers a bucket that is being evicted when its store is
// abandoned, and an object that is removed afterwards, as by a scrape when it has expired.
func TestBudgetForgetsAbandonedStore(t *testing.T) {
	budget := NewBudget(1 << 30)
	kept, abandoned := New(testFamilies(3), budget), New(testFamilies(3), budget)
	abandoned.EndBulkLoad()
	fill(abandoned, 0, slotsPerBucket+10, 1)
	budget.limit = 0
	evicted := budget.victim()
	budget.limit = 1 << 30
	fill(kept, 0, 10, 1)
	check := func(when string) {
		t.Helper()
		equal(t, "raw bytes "+when, budget.RawBytes(), kept.Stats().RawBytes)
		equal(t, "buckets with raw text "+when, budget.lru.Len(), 1)
	}
	abandoned.Abandon()
	check("of the other store")
	abandoned.compressBucket(evicted, func(blk *block) bool { return blk.isRaw() && blk.editState().family == 0 })
	check("after an eviction")
	abandoned.Delete(testID(slotsPerBucket))
	check("after a deletion")
	equal(t, "Compressions", abandoned.Stats().Compressions, 1)
	equal(t, "whether text is raw", abandoned.Stats().RawBytes > 0, true)
	exposed := readSnapshot(t, Text, TakeSnapshot(Text, abandoned), abandoned.families)
	equal(t, "lines of a family", len(exposed["kube_test_family_01"]), slotsPerBucket+9)
}
