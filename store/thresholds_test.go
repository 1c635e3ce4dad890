package store

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHalfFullBucketsAreMerged(t *testing.T) {
	f := func(left, buckets int) {
		t.Helper()
		s := New(testFamilies(2), nil)
		fill(s, 0, 2*slotsPerBucket, 1)
		for n := range 2 * slotsPerBucket {
			if n%slotsPerBucket >= left {
				s.Delete(testID(n))
			}
		}
		s.Sweep(0, noon)
		equal(t, "Buckets", s.Stats().Buckets, buckets)
		equal(t, "Objects", len(visibleObjects(t, s)), 2*left)
		verify(t, s)
	}
	f(slotsPerBucket/2, 1)
	f(slotsPerBucket/2+1, 2)
}

func TestMergedBucketsStayWithinTheTextLimit(t *testing.T) {
	text := func(size int) *Lines { return linesOf(strings.Repeat("x", size-1) + "\n") }
	f := func(first, second, buckets int) {
		t.Helper()
		s := New(testFamilies(1), nil)
		s.Put(Object{ID: testID(1), Version: 1}, text(maxBucketText)) // closes its bucket
		s.Put(Object{ID: testID(2), Version: 1}, text(second))
		equal(t, "Buckets before", s.Stats().Buckets, 2)
		s.Put(Object{ID: testID(1), Version: 2}, text(first))
		s.Sweep(0, noon)
		equal(t, "Buckets", s.Stats().Buckets, buckets)
		verify(t, s)
	}
	f(maxBucketText/2, maxBucketText/2, 1)
	f(maxBucketText/2, maxBucketText/2+1, 2)
}

func TestRetainRemovesVersionsUpToThatOfTheList(t *testing.T) {
	s := New(testFamilies(1), nil)
	for n := range 10 {
		s.Put(Object{ID: testID(n), Version: uint64(n + 1)}, linesOf(line(0, n, "", 1)))
	}
	equal(t, "removed", s.Retain(0, 5, slices.Values(ids(1))), 4)
	equal(t, "visible", strings.Join(visibleObjects(t, s), " "), "1 5 6 7 8 9")
}

func TestObjectIsRemovedExactlyAtItsExpiryTime(t *testing.T) {
	s := New(testFamilies(1), nil)
	putValue(s, 1, 1)
	until := s.created.Add(time.Minute)
	s.ExpireAt(testID(1), until)
	s.Sweep(time.Hour, until.Add(-1))
	equal(t, "Objects before", s.Stats().Objects, 1)
	s.Sweep(time.Hour, until)
	equal(t, "Objects after", s.Stats().Objects, 0)
}

func TestRepartitioningHandlesPartitionsOfAnySize(t *testing.T) {
	for _, second := range []int{1, 31, 32, 33, 63} {
		s := New(testFamilies(2), nil)
		fill(s, 0, slotsPerBucket, 1)
		s.SetPartitioning(func(hash uint64) (Partition, bool) {
			if hash < uint64(second) {
				return 1, true
			}
			return 2, true
		}, 1<<1)
		equal(t, "Buckets", s.Stats().Buckets, 2)
		equal(t, "Objects", s.Stats().Objects, second)
		equal(t, "HiddenObjects", s.Stats().HiddenObjects, slotsPerBucket-second)
		verify(t, s)
	}
}

// A partition with more objects than its current bucket has free slots continues in another bucket.
func TestPartitionsOverflowIntoMoreBuckets(t *testing.T) {
	s := New(testFamilies(2), nil)
	fill(s, 0, 5*slotsPerBucket, 1)
	s.SetPartitioning(func(hash uint64) (Partition, bool) { return Partition(hash % 3), hash%7 != 0 }, 1<<0|1<<2)
	want := 0
	for n := range uint64(5 * slotsPerBucket) {
		if n%7 != 0 && n%3 != 1 {
			want++
		}
	}
	equal(t, "Objects", s.Stats().Objects, want)
	verify(t, s)
}

func TestLowestBits(t *testing.T) {
	for n, want := range map[int]uint64{0: 0, 1: 0b10, 2: 0b1010, 3: 0b101010, 4: 0b101010, 64: 0b101010} {
		equal(t, "lowestBits", lowestBits(0b101010, n), want)
	}
}

func TestMemoryOfABlockIncludesItsPatch(t *testing.T) {
	ct := newCodec().compress([]byte("text"), &slotLens{4})
	base := ct.memory()
	ct.patch = &patch{textBytes: 100}
	equal(t, "bytes", ct.memory(), base+100)
}

func TestSlotLensAreEncodedUpToTheLastSlotWithText(t *testing.T) {
	for n, lens := range []slotLens{{}, {1, 127}, {1, 127, 128, 300, 1 << 20, 0, 5}, {slotsPerBucket - 1: 1<<32 - 1}} {
		encoded := lens.append(nil)
		equal(t, "bytes", len(encoded), []int{0, 2, 11, slotsPerBucket - 1 + 5}[n])
		if got, ok := parseLens(encoded); got != lens || !ok {
			t.Errorf("got %v (%t), want %v", got, ok, lens)
		}
	}
	for _, invalid := range [][]byte{{0x80}, {1, 0x80}, binary.AppendUvarint(nil, 1<<32), make([]byte, slotsPerBucket+1)} {
		if lens, ok := parseLens(invalid); ok {
			t.Errorf("%x: got %v, want an error", invalid, lens)
		}
	}
}
