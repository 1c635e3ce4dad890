package store

import (
	"strings"
	"testing"
)

func even(hash uint64) bool       { return hash%2 == 0 }
func odd(hash uint64) bool        { return hash%2 == 1 }
func belowThree(hash uint64) bool { return hash < 3 }
func nothing(uint64) bool         { return false }

func TestHiddenPartsAreHeldButNotShown(t *testing.T) {
	s := New(testFamilies(2), nil)
	fill(s, 0, 3, 1) // 0 1 2
	begin(s, belowThree, everything)
	fill(s, 3, 6, 1)
	equal(t, "served", strings.Join(served(t, s), " "), "0 1 2")
	st := s.Stats()
	equal(t, "Objects", st.Objects, 3)
	equal(t, "Hidden", st.Hidden, 3)
	equal(t, "TextBytes", st.TextBytes, Collect(Text, s).Size()-int64(len(s.families[0].TextHeader)+len(s.families[1].TextHeader)))
	s.Show(nextParts)
	equal(t, "served", strings.Join(served(t, s), " "), "0 1 2 3 4 5")
	s.Show(0)
	equal(t, "served", strings.Join(served(t, s), " "), "")
	equal(t, "Hidden", s.Stats().Hidden, 6)
	verify(t, s)
}

func TestPartsAreShownAndHiddenTimeAndAgain(t *testing.T) {
	s := New(testFamilies(3), NewBudget(0))
	s.Divide(func(hash uint64) (Part, bool) { return Part(hash % 3), true }, 1)
	fill(s, 0, 9, 1)
	for _, c := range []struct {
		parts Parts
		want  string
	}{
		{1, "0 3 6"}, {2, "1 4 7"}, {1 | 4, "0 2 3 5 6 8"}, {0, ""}, {1 | 2 | 4, "0 1 2 3 4 5 6 7 8"}, {1, "0 3 6"},
	} {
		s.Show(c.parts)
		equal(t, "served", strings.Join(served(t, s), " "), c.want)
		verify(t, s)
	}
	putValue(s, 1, 2) // while it is hidden
	s.Delete(testID(4))
	s.Show(2)
	equal(t, "served", strings.Join(served(t, s), " "), "1 7")
	equal(t, "Changed", s.Stats().Changed, 10)
}

func TestLeavingObjectsAreServedUntilTheChange(t *testing.T) {
	s := New(testFamilies(2), NewBudget(0))
	fill(s, 0, 6, 1)
	begin(s, everything, even)
	equal(t, "before", strings.Join(served(t, s), " "), "0 1 2 3 4 5")
	s.Delete(testID(1))
	putValue(s, 3, 2)
	equal(t, "changes still count", strings.Join(served(t, s), " "), "0 2 3 4 5")
	commit(s, even)
	equal(t, "after", strings.Join(served(t, s), " "), "0 2 4")
	equal(t, "Has", s.Has(testID(3), 1), false)
	fill(s, 7, 9, 1)
	equal(t, "only what is held", strings.Join(served(t, s), " "), "0 2 4 8")
	verify(t, s)
}

func TestObjectsOfNoPartAreDropped(t *testing.T) {
	s := New(testFamilies(2), nil)
	fill(s, 0, 6, 1)
	begin(s, belowThree, even) // 5 is in neither
	equal(t, "served", strings.Join(served(t, s), " "), "0 1 2")
	equal(t, "Hidden", s.Stats().Hidden, 1)
	fill(s, 7, 8, 1)
	commit(s, even)
	equal(t, "served", strings.Join(served(t, s), " "), "0 2 4")
	verify(t, s)
}

func TestAnotherDivisionReplacesTheFirst(t *testing.T) {
	s := New(testFamilies(2), nil)
	fill(s, 0, 6, 1)
	begin(s, everything, odd)
	begin(s, everything, even) // those that were leaving stay, and the reverse
	equal(t, "served", strings.Join(served(t, s), " "), "0 1 2 3 4 5")
	commit(s, even)
	equal(t, "served", strings.Join(served(t, s), " "), "0 2 4")

	begin(s, even, everything)
	fill(s, 7, 8, 1) // arrives
	begin(s, even, even)
	commit(s, even) // and is not wanted any more
	equal(t, "served", strings.Join(served(t, s), " "), "0 2 4")

	begin(s, even, nothing)
	commit(s, nothing)
	equal(t, "Buckets", s.Stats().Buckets, 0)
	verify(t, s)
}

// What is prepared is shown without opening a page.
func TestShowOpensNoPage(t *testing.T) {
	s := New(testFamilies(5), NewBudget(0))
	fill(s, 0, 4*slotsPerBucket, 1)
	begin(s, everything, even)
	before := s.Stats()
	s.Show(nextParts)
	after := s.Stats()
	equal(t, "Unpacks", after.Unpacks, before.Unpacks)
	equal(t, "Packs", after.Packs, before.Packs)
	equal(t, "Objects", after.Objects, 2*slotsPerBucket)
	commit(s, even)
	equal(t, "Unpacks", s.Stats().Unpacks, before.Unpacks)
	verify(t, s)
}

func TestPartsOf(t *testing.T) {
	equal(t, "even parts", PartsOf(func(p Part) bool { return p < 8 && p%2 == 0 }), 0b1010101)
	equal(t, "none", PartsOf(func(Part) bool { return false }), 0)
}
