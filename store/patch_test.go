package store

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFewChangesOfAPackedPageDoNotOpenIt(t *testing.T) {
	s := New(testFamilies(2), NewBudget(1<<30))
	fill(s, 0, slotsPerBucket, 1) // packed, because the store loads
	s.Loaded()
	for n := range maxPatches {
		putValue(s, n, 2)
	}
	equal(t, "Unpacks", s.Stats().Unpacks, 0)
	equal(t, "RawPages", s.Stats().RawPages, 0)
	verify(t, s)
	before := Collect(Text, s)

	putValue(s, maxPatches, 2) // one too many
	equal(t, "RawPages", s.Stats().RawPages, 2)
	verify(t, s)

	var text bytes.Buffer // the page that was collected is the one of before
	if err := before.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for n := range slotsPerBucket {
		want := textsOf(s, n, 1)[0]
		if n < maxPatches {
			want = textsOf(s, n, 2)[0]
		}
		if !strings.Contains(text.String(), want) {
			t.Errorf("not on the page: %s", want)
		}
	}
}

func TestScrapePacksTheChangesOfAPage(t *testing.T) {
	s := New(testFamilies(2), NewBudget(1<<30))
	fill(s, 0, slotsPerBucket, 1)
	s.Loaded()
	packs := s.Stats().Packs
	putValue(s, 3, 2)
	putValue(s, 5, 2)
	s.Delete(testID(7))
	for range 2 { // the second has nothing left to do
		Collect(Text, s).GzipSize()
		equal(t, "Packs", s.Stats().Packs, packs+2)
		equal(t, "RawPages", s.Stats().RawPages, 0)
		verify(t, s)
	}
	equal(t, "Objects", s.Stats().Objects, slotsPerBucket-1)
}

// Nobody scrapes what is hidden, and text needs nothing packed.
func TestSweepPacksChangesThatNobodyHadPacked(t *testing.T) {
	s := New(testFamilies(2), NewBudget(1<<30))
	fill(s, 0, slotsPerBucket, 1)
	s.Loaded()
	s.Show(0)
	packed := s.Stats().PackedBytes
	putValue(s, 3, 2)
	s.Sweep(time.Minute, noon)
	putValue(s, 5, 2) // later changes do not put it off
	for minute := range patchesLast {
		if s.Sweep(time.Minute, noon.Add(time.Duration(minute)*time.Minute)); s.Stats().PackedBytes < packed+100 {
			t.Errorf("packed after %d minutes", minute)
		}
	}
	packs := s.Stats().Packs
	s.Sweep(time.Minute, noon.Add(patchesLast*time.Minute))
	equal(t, "Packs", s.Stats().Packs, packs+2)
	equal(t, "patched", s.hiddenTotals.patched, 0)
	verify(t, s)
}

// Many changes of a page that nobody has seen meanwhile change one page.
func TestChangesOfAPageThatNobodySawAreMadeInIt(t *testing.T) {
	s := New(testFamilies(1), NewBudget(1<<30))
	fill(s, 0, slotsPerBucket, 1)
	s.Loaded()
	putValue(s, 3, 2)
	sh := s.table[0].pages[0]
	for n, change := range []func(){
		func() { putValue(s, 5, 2) }, func() { putValue(s, 5, 3) }, func() { s.Delete(testID(3)) }, func() { s.Delete(testID(7)) },
	} {
		change()
		equal(t, "the page is the same", s.table[0].pages[0] == sh, true)
		verify(t, s)
		Collect(Text, s)
		putValue(s, 9, uint64(10+n))
		equal(t, "the page is the same, once it was seen", s.table[0].pages[0] == sh, false)
		sh = s.table[0].pages[0]
	}
}

// Who looks at a bucket sees it as it was, whatever changes while they look.
func TestChangedPageStaysAsItWasSeen(t *testing.T) {
	s := New(testFamilies(2), NewBudget(1<<30))
	fill(s, 0, slotsPerBucket, 1)
	s.Loaded()
	putValue(s, 3, 2)
	for page := range s.Texts() {
		putValue(s, 3, 3)
		if want := textsOf(s, 3, 2)[slices.IndexFunc(s.families, func(f Family) bool { return f.Name == page.Family })]; !strings.Contains(string(page.Text), want) {
			t.Errorf("%s: not as it was: %s", page.Family, want)
		}
	}
	verify(t, s)
}

func TestPageIsGoneWhenItsLastTextIs(t *testing.T) {
	s := New(testFamilies(1), NewBudget(0))
	fill(s, 0, 3, 1)
	s.Put(Object{ID: testID(9)}, linesOf("")) // holds the bucket, has no text
	for n := range 3 {
		s.Delete(testID(n))
	}
	equal(t, "Pages", s.Stats().Pages, 0)
	verify(t, s)
}

// The length of slots is what their texts are long, packed or changed since, and 0 past the end.
func TestLengthOfSlots(t *testing.T) {
	lens := []uint32{3, 0, 200, 40_000, 1}
	p := newCodec().deflate(make([]byte, 40_204), lens)
	changed := *p
	changed.patch = &patch{texts: []patchText{{slot: 2, text: []byte("1234")}, {slot: 9, text: []byte("5")}}}
	f := func(p *packed, mask uint64, want uint32) {
		t.Helper()
		if got := p.length(mask); got != want {
			t.Errorf("slots %b: %d, want %d", mask, got, want)
		}
	}
	f(p, 0, 0)
	f(p, 0b1, 3)
	f(p, 0b101, 203)
	f(p, 0b11000, 40_001)
	f(p, ^uint64(0), 40_204)
	f(p, 1<<63, 0)
	f(&changed, 0b101, 7)
	f(&changed, 1<<9|1<<3, 40_001)
}
