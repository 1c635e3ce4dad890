package store

import (
	"bytes"
	"strings"
	"testing"
)

func TestBucketClosesWhenItsTextReachesTheLimit(t *testing.T) {
	f := func(last, buckets int) {
		t.Helper()
		s := New(testFamilies(1), nil)
		for n, size := range []int{maxBucketText / 2, last, 10} {
			s.Put(Object{ID: testID(n)}, linesOf(strings.Repeat("x", size-1)+"\n"))
		}
		equal(t, "Buckets", s.Stats().Buckets, buckets)
	}
	f(maxBucketText/2-1, 1)
	f(maxBucketText/2, 2)
}

func TestBucketAcceptsObjectsWithEnoughFreeSlotsOrMostlyRawText(t *testing.T) {
	f := func(free int, raw, text int64, open bool) {
		t.Helper()
		b := &bucket{used: ^uint64(0) >> free, totals: totals{raw: raw, text: text}}
		if free == slotsPerBucket {
			b.used = 0
		}
		if b.accepts() != open {
			t.Errorf("%d slots free, %d of %d bytes raw: accepts() = %t, want %t", free, raw, text, !open, open)
		}
	}
	f(slotsPerBucket, 0, 0, true)
	f(minFreeSlots, 0, 100, true)
	f(minFreeSlots-1, 0, 100, false)
	f(minFreeSlots-1, 49, 100, false)
	f(minFreeSlots-1, 50, 100, true)
	f(1, 100, 100, true)
	f(0, 100, 100, false)
}

func TestBudgetEvictsOnlyAboveItsLimit(t *testing.T) {
	s := New(testFamilies(3), NewBudget(1<<30))
	s.EndBulkLoad()
	fill(s, 0, 3*slotsPerBucket, 1)
	s.budget.limit = s.budget.RawBytes()
	s.budget.evict()
	equal(t, "RawBlocks at the limit", s.Stats().RawBlocks, 9)
	s.budget.limit--
	s.budget.evict()
	equal(t, "RawBlocks above the limit", s.Stats().RawBlocks, 6)
}

func TestBitmapWordsOfFingerprints(t *testing.T) {
	for families, want := range map[int]int{0: 0, 1: 1, 63: 1, 64: 1, 65: 2, 128: 2, 129: 3} {
		equal(t, "bitmapWords", bitmapWords(families), want)
	}
}

// A canonical UID becomes the ID itself. A UID with any other character is hashed.
func TestOnlyCanonicalUUIDsAreParsed(t *testing.T) {
	id := func(uid string) string { return NewID(uid, "", "").String() }
	equal(t, "all digits", id("01234567-89ab-cdef-0123-456789abcdef"), "0123456789abcdef0123456789abcdef")
	equal(t, "first and last digits", id("00000000-9999-aaaa-ffff-0123456789af"), "000000009999aaaaffff0123456789af")
	for _, wrong := range []string{"/", ":", "`", "g", "A", "F", "-", " "} {
		if got := id("0000000" + wrong + "-0000-0000-0000-000000000000"); strings.HasPrefix(got, "0000000") {
			t.Errorf("%q was parsed as a digit: %s", wrong, got)
		}
	}
	for _, uid := range []string{
		"00000000+0000-0000-0000-000000000000",
		"00000000-0000-0000-0000-00000000000",
		"00000000-0000-0000-0000-0000000000000",
	} {
		if got := id(uid); strings.HasPrefix(got, "000000000000") {
			t.Errorf("%s was parsed as a UUID: %s", uid, got)
		}
	}
}

func TestInvalidEndsGiveNoText(t *testing.T) {
	buf := []byte("ab\ncd\n")
	f := func(ends []int, family int, want string) {
		t.Helper()
		l := &Lines{Buf: buf, Ends: ends}
		equal(t, "text", string(l.family(family)), want)
	}
	f([]int{3, 6}, 0, "ab\n")
	f([]int{3, 6}, 1, "cd\n")
	f([]int{3, 3, 6}, 1, "")
	f([]int{3, 3, 6}, 2, "cd\n")
	f([]int{6, 6}, 1, "")
	f([]int{0, 6}, 1, "ab\ncd\n")
	f([]int{3}, 1, "")
	f([]int{3, 7}, 1, "")
	f([]int{4, 3}, 1, "")
	f([]int{-1, 3}, 0, "")
	f([]int{-1, 3}, 1, "")
}

func TestTextLargerThanAChunkIsComplete(t *testing.T) {
	s := New(testFamilies(4), nil)
	sizes := []int{chunkBytes - 100, 100, chunkBytes, chunkBytes + 1, 1, 3 * chunkBytes, 50, 2 * chunkBytes}
	for n, size := range sizes {
		texts := make([]string, 4)
		texts[n%4] = line(n%4, n, strings.Repeat("x", size), 1)
		s.Put(Object{ID: testID(n)}, linesOf(texts...))
	}
	for _, compressed := range []bool{false, true} {
		if compressed {
			s.Sweep(0, noon)
		}
		snap := TakeSnapshot(Text, s)
		var out bytes.Buffer
		if err := snap.WriteText(&out); err != nil {
			t.Fatal(err)
		}
		equal(t, "bytes", int64(out.Len()), snap.Size())
		readSnapshot(t, Text, snap, s.families)
	}
}

func TestCapacityOfFillingBlockFollowsSizeHint(t *testing.T) {
	f := func(hint, need, used, want int) {
		t.Helper()
		s := &Store{sizeHints: []int{hint}}
		b := &bucket{used: 1<<used - 1}
		equal(t, "bytes", s.blockCapacity(b, 0, need), want)
	}
	f(0, 50, 1, 100)
	f(100, 50, 1, 100)
	f(100, 100, 1, 100)
	f(100, 104, 1, 130)
	f(100, 50, slotsPerBucket, 50)
	f(0, 50, slotsPerBucket, 50)
}

func TestSizeHintAddsASixteenth(t *testing.T) {
	s := &Store{sizeHints: []int{7, 7}}
	s.recordSizes(&bucket{blocks: []*block{staticBlock(make([]byte, 1600), newCodec()), nil}})
	equal(t, "hint of a family with text", s.sizeHints[0], 1700)
	equal(t, "hint of a family without text", s.sizeHints[1], 0)
}
