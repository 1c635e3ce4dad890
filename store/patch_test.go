package store

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFewChangesOfACompressedBlockDoNotDecompressIt(t *testing.T) {
	s := New(testFamilies(2), NewBudget(1<<30))
	fill(s, 0, slotsPerBucket, 1) // compressed at once, because of the bulk load
	s.EndBulkLoad()
	for n := range maxPatches {
		putValue(s, n, 2)
	}
	equal(t, "Decompressions", s.Stats().Decompressions, 0)
	equal(t, "RawBlocks", s.Stats().RawBlocks, 0)
	verify(t, s)
	before := TakeSnapshot(Text, s)

	putValue(s, maxPatches, 2) // one too many
	equal(t, "RawBlocks", s.Stats().RawBlocks, 2)
	verify(t, s)

	var text bytes.Buffer // the snapshot has the text from before
	if err := before.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for n := range slotsPerBucket {
		want := textsOf(s, n, 1)[0]
		if n < maxPatches {
			want = textsOf(s, n, 2)[0]
		}
		if !strings.Contains(text.String(), want) {
			t.Errorf("missing in the snapshot: %s", want)
		}
	}
}

func TestScrapeRecompressesPatchedBlock(t *testing.T) {
	s := New(testFamilies(2), NewBudget(1<<30))
	fill(s, 0, slotsPerBucket, 1)
	s.EndBulkLoad()
	compressions := s.Stats().Compressions
	putValue(s, 3, 2)
	putValue(s, 5, 2)
	s.Delete(testID(7))
	for range 2 { // the second finds nothing to compress
		TakeSnapshot(Text, s).GzipSize()
		equal(t, "Compressions", s.Stats().Compressions, compressions+2)
		equal(t, "RawBlocks", s.Stats().RawBlocks, 0)
		verify(t, s)
	}
	equal(t, "Objects", s.Stats().Objects, slotsPerBucket-1)
}

// Patches of hidden blocks, and all patches if no scrape uses gzip, would otherwise grow without end.
func TestSweepRecompressesOldPatches(t *testing.T) {
	s := New(testFamilies(2), NewBudget(1<<30))
	fill(s, 0, slotsPerBucket, 1)
	s.EndBulkLoad()
	s.SetVisible(0)
	compressed := s.Stats().CompressedBytes
	putValue(s, 3, 2)
	s.Sweep(time.Minute, noon)
	putValue(s, 5, 2) // later changes do not postpone the recompression
	for minute := range patchQuietFactor {
		s.Sweep(time.Minute, noon.Add(time.Duration(minute)*time.Minute))
		if s.Stats().CompressedBytes < compressed+100 {
			t.Errorf("recompressed after %d minutes, want after %d", minute, patchQuietFactor)
		}
	}
	compressions := s.Stats().Compressions
	s.Sweep(time.Minute, noon.Add(patchQuietFactor*time.Minute))
	equal(t, "Compressions", s.Stats().Compressions, compressions+2)
	equal(t, "patched", s.hiddenTotals.patched, 0)
	verify(t, s)
}

func TestPatchIsChangedInPlaceUntilSnapshot(t *testing.T) {
	s := New(testFamilies(1), NewBudget(1<<30))
	fill(s, 0, slotsPerBucket, 1)
	s.EndBulkLoad()
	putValue(s, 3, 2)
	blk := s.buckets[0].blocks[0]
	for n, change := range []func(){
		func() { putValue(s, 5, 2) },
		func() { putValue(s, 5, 3) },
		func() { s.Delete(testID(3)) },
		func() { s.Delete(testID(7)) },
	} {
		change()
		equal(t, "the block is the same", s.buckets[0].blocks[0] == blk, true)
		verify(t, s)
		TakeSnapshot(Text, s)
		putValue(s, 9, uint64(10+n))
		equal(t, "the block is the same after a snapshot", s.buckets[0].blocks[0] == blk, false)
		blk = s.buckets[0].blocks[0]
	}
}

func TestBlockTextsAreUnaffectedByLaterPatches(t *testing.T) {
	s := New(testFamilies(2), NewBudget(1<<30))
	fill(s, 0, slotsPerBucket, 1)
	s.EndBulkLoad()
	putValue(s, 3, 2)
	for text := range s.BlockTexts() {
		putValue(s, 3, 3)
		family := slices.IndexFunc(s.families, func(f Family) bool { return f.Name == text.Family })
		if want := textsOf(s, 3, 2)[family]; !strings.Contains(string(text.Text), want) {
			t.Errorf("%s: the text before the change is missing: %s", text.Family, want)
		}
	}
	verify(t, s)
}

func TestBlockWithoutTextIsRemoved(t *testing.T) {
	s := New(testFamilies(1), NewBudget(0))
	fill(s, 0, 3, 1)
	s.Put(Object{ID: testID(9)}, linesOf("")) // keeps the bucket, has no text
	for n := range 3 {
		s.Delete(testID(n))
	}
	equal(t, "Blocks", s.Stats().Blocks, 0)
	verify(t, s)
}

func TestTextLenOfSlots(t *testing.T) {
	lens := &slotLens{3, 0, 200, 40_000, 1}
	ct := newCodec().compress(make([]byte, 40_204), lens)
	changed := *ct
	changed.patch = &patch{texts: []patchText{{slot: 2, text: []byte("1234")}, {slot: 9, text: []byte("5")}}}
	f := func(ct *compressedText, mask uint64, want uint32) {
		t.Helper()
		if got := ct.textLen(mask); got != want {
			t.Errorf("slots %b: %d, want %d", mask, got, want)
		}
	}
	f(ct, 0, 0)
	f(ct, 0b1, 3)
	f(ct, 0b101, 203)
	f(ct, 0b11000, 40_001)
	f(ct, ^uint64(0), 40_204)
	f(ct, 1<<63, 0)
	f(&changed, 0b101, 7)
	f(&changed, 1<<9|1<<3, 40_001)
}
