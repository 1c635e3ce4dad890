package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func everything(uint64) bool { return true }

func ids(numbers ...int) []ID {
	var all []ID
	for _, n := range numbers {
		all = append(all, testID(n))
	}
	return all
}

// fill puts the objects first to last-1, each with one line per family.
func fill(s *Store, first, last int, value uint64) {
	for n := first; n < last; n++ {
		putValue(s, n, value)
	}
}

func putValue(s *Store, n int, value uint64) (changed bool) {
	return s.Put(Object{ID: testID(n), Hash: uint64(n)}, linesOf(textsOf(s, n, value)...))
}

func textsOf(s *Store, n int, value uint64) []string {
	texts := make([]string, len(s.families))
	for f := range texts {
		texts[f] = line(f, n, "", value)
	}
	return texts
}

// visibleObjects returns the numbers of the visible objects, taken from the first family.
func visibleObjects(t testing.TB, s *Store) []string {
	t.Helper()
	parsed := readSnapshot(t, Text, TakeSnapshot(Text, s), s.families)
	var numbers []string
	for _, line := range parsed[s.families[0].Name] {
		numbers = append(numbers, strings.Split(line, `"`)[1])
	}
	slices.Sort(numbers)
	return numbers
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestOlderVersionNeverReplacesNewer(t *testing.T) {
	const old, current, unknown = 7, 8, 0
	for _, test := range []struct {
		name      string
		held, put uint64
		replaced  bool
	}{
		{"older", current, old, false},
		{"same", current, current, true},
		{"newer", old, current, true},
		{"unknown after known", current, unknown, true},
		{"known after unknown", unknown, old, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := New(testFamilies(1), nil)
			s.Put(Object{ID: testID(1), Version: test.held}, linesOf("before 1\n"))
			changed := s.Put(Object{ID: testID(1), Version: test.put}, linesOf("after 1\n"))
			equal(t, "changed", changed, test.replaced)
			parsed := readSnapshot(t, Text, TakeSnapshot(Text, s), s.families)
			equal(t, "replaced", parsed[s.families[0].Name][0] == "after 1\n", test.replaced)
		})
	}
}

func TestHasVersion(t *testing.T) {
	s := New(testFamilies(1), nil)
	s.Put(Object{ID: testID(1), Version: 5}, linesOf("a 1\n"))
	s.Put(Object{ID: testID(2)}, linesOf("b 1\n"))
	for _, test := range []struct {
		object  int
		version uint64
		want    bool
	}{
		{1, 4, true}, {1, 5, true}, {1, 6, false}, {1, 0, false},
		{2, 1, false}, {2, 0, false}, {3, 1, false},
	} {
		equal(t, fmt.Sprint(test), s.HasVersion(testID(test.object), test.version), test.want)
	}
}

func TestUnchangedUpdateTouchesNoBlock(t *testing.T) {
	for _, limit := range []int64{0, 1 << 20} { // compressed blocks, raw blocks
		s := New(testFamilies(5), NewBudget(limit))
		fill(s, 0, 10, 1)
		before, blocks := s.Stats(), slices.Clone(s.buckets[0].blocks)
		equal(t, "changed", s.Put(Object{ID: testID(3), Version: 9}, linesOf(textsOf(s, 3, 1)...)), false)
		equal(t, "Stats", s.Stats(), before)
		equal(t, "blocks are the same", slices.Equal(blocks, s.buckets[0].blocks), true)
		equal(t, "the version advanced", s.HasVersion(testID(3), 9), true)
	}
}

func TestUpdateTouchesOnlyBlocksOfChangedFamilies(t *testing.T) {
	s := New(testFamilies(5), NewBudget(0))
	fill(s, 0, 10, 1)
	TakeSnapshot(Text, s) // freezes the blocks, so that a change replaces them
	blocks := slices.Clone(s.buckets[0].blocks)
	texts := textsOf(s, 3, 1)
	texts[2], texts[4] = line(2, 3, "", 5), ""
	s.Put(Object{ID: testID(3)}, linesOf(texts...))
	for f, blk := range s.buckets[0].blocks {
		equal(t, fmt.Sprintf("block %d is the same", f), blk == blocks[f], f != 2 && f != 4)
	}
	verify(t, s)
}

func TestFamilyWithoutLinesHasNoBlockAndNoHeader(t *testing.T) {
	s := New(testFamilies(3), nil)
	s.Put(Object{ID: testID(1)}, linesOf("", line(1, 1, "", 1)))
	s.Put(Object{ID: testID(2)}, linesOf()) // stored, although it has no lines
	equal(t, "Objects", s.Stats().Objects, 2)
	equal(t, "Blocks", s.Stats().Blocks, 1)
	equal(t, "families", len(readSnapshot(t, Text, TakeSnapshot(Text, s), s.families)), 1)

	s.Put(Object{ID: testID(1)}, linesOf("", "", line(2, 1, "", 1)))
	equal(t, "Blocks after the family changed", s.Stats().Blocks, 1)
	s.Delete(testID(1))
	equal(t, "Blocks at the end", s.Stats().Blocks, 0)
	equal(t, "Size at the end", TakeSnapshot(Text, s).Size(), 0)
	verify(t, s)
}

func TestPutIgnoresInvalidLines(t *testing.T) {
	for _, l := range []*Lines{
		{Buf: []byte("a 1\n"), Ends: []int{9}},
		{Buf: []byte("a 1\n"), Ends: []int{4, 2}},
		{Buf: []byte("a 1\n"), Ends: []int{-1, 4}},
		{Buf: []byte("a 1\n"), Ends: []int{4, 4, 4, 4, 4, 4}},
	} {
		s := New(testFamilies(2), nil)
		s.Put(Object{ID: testID(1)}, l)
		verify(t, s)
		equal(t, "Objects", s.Stats().Objects, 1)
	}
}

func TestLinesReset(t *testing.T) {
	l := linesOf("a 1\n", "b 1\n")
	l.Reset()
	equal(t, "len(Buf)", len(l.Buf), 0)
	equal(t, "len(Ends)", len(l.Ends), 0)
	equal(t, "memory is reused", cap(l.Buf) >= 8, true)
}

func TestDeleteOfUnknownObject(t *testing.T) {
	s := New(testFamilies(1), nil)
	s.Delete(testID(1))
	fill(s, 0, 2, 1)
	s.Delete(testID(7))
	equal(t, "Objects", s.Stats().Objects, 2)
}

func TestRetainRemovesOnlyObjectsOfItsSource(t *testing.T) {
	s := New(testFamilies(2), NewBudget(0))
	for n := range 200 {
		s.Put(Object{ID: testID(n), Source: uint32(n % 2)}, linesOf(textsOf(s, n, 1)...))
	}
	equal(t, "removed", s.Retain(1, 0, slices.Values(ids(1, 3, 5, 999))), 97)
	equal(t, "Objects", s.Stats().Objects, 103)
	equal(t, "removed from an empty source", s.Retain(8, 0, slices.Values(ids())), 0)
	equal(t, "removed with an empty list", s.Retain(0, 0, slices.Values(ids())), 100)
	equal(t, "visible", strings.Join(visibleObjects(t, s), " "), "1 3 5")
	verify(t, s)
}

func TestObjectPutDuringRetainStays(t *testing.T) {
	s := New(testFamilies(1), nil)
	fill(s, 0, 3, 1)
	removed := s.Retain(0, 0, func(yield func(ID) bool) {
		putValue(s, 9, 1) // not in the list
		yield(testID(2))
	})
	equal(t, "removed", removed, 2)
	equal(t, "visible", strings.Join(visibleObjects(t, s), " "), "2 9")
}

func TestNewObjectsReuseFreeSlots(t *testing.T) {
	s := New(testFamilies(3), nil)
	fill(s, 0, 5*slotsPerBucket, 1)
	const deleted = 5 * slotsPerBucket / 3 // more than minFreeSlots in every bucket
	for n := range deleted {
		s.Delete(testID(n * 3))
	}
	fill(s, 1000, 1000+deleted, 1)
	equal(t, "Buckets", s.Stats().Buckets, 5)
	equal(t, "Objects", s.Stats().Objects, 5*slotsPerBucket)
	verify(t, s)
}

func TestChurnLeavesSettledBucketsAlone(t *testing.T) {
	s := New(testFamilies(3), NewBudget(0)) // compresses everything at once
	fill(s, 0, 10*slotsPerBucket, 1)
	for n := range 20 { // a few free slots in every bucket
		s.Delete(testID(n * slotsPerBucket / 2))
	}
	var blocks []*block
	for _, b := range s.buckets[:10] {
		blocks = append(blocks, b.blocks...)
	}
	fill(s, 1000, 1010, 1)
	equal(t, "Buckets", s.Stats().Buckets, 11) // a new one takes the new objects
	for n := 1000; n < 1010; n++ {
		s.Delete(testID(n))
	}
	for i, b := range s.buckets[:10] {
		equal(t, "blocks are the same", slices.Equal(blocks[i*3:i*3+3], b.blocks), true)
	}
}

func TestLargeObjectsFillABucketEarly(t *testing.T) {
	s := New(testFamilies(1), nil)
	huge := strings.Repeat(line(0, 0, "x", 1), 20_000) // about 800 kB
	for n := range 10 {
		s.Put(Object{ID: testID(n)}, linesOf(huge))
	}
	if got := s.Stats().Buckets; got < 3 {
		t.Errorf("%d buckets, want at least 3", got)
	}
	for _, b := range s.buckets {
		if b.totals.text > maxBucketText+int64(len(huge)) {
			t.Errorf("a bucket has %d bytes of text, want at most %d", b.totals.text, maxBucketText+int64(len(huge)))
		}
	}
	equal(t, "lines", len(readSnapshot(t, Text, TakeSnapshot(Text, s), s.families)[s.families[0].Name]), 200_000)
	verify(t, s)
}

// Without a key, a user could construct a text with the fingerprint of another one, and the old
// text would stay in the exposition.
func TestFingerprintsHaveARandomKey(t *testing.T) {
	l := &Lines{Buf: []byte("a 1\n"), Ends: []int{4}}
	a, b := New(make([]Family, 1), nil), New(make([]Family, 1), nil)
	if first, again := a.appendFingerprints(nil, l), a.appendFingerprints(nil, l); !slices.Equal(first, again) {
		t.Errorf("fingerprints of the same text: %x and %x", first, again)
	}
	if first, second := a.appendFingerprints(nil, l), b.appendFingerprints(nil, l); slices.Equal(first, second) {
		t.Errorf("two stores have the same fingerprints for a text: %x", first)
	}
}
