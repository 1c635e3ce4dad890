package store

import (
	"strings"
	"testing"
)

func even(hash uint64) bool       { return hash%2 == 0 }
func odd(hash uint64) bool        { return hash%2 == 1 }
func belowThree(hash uint64) bool { return hash < 3 }
func nothing(uint64) bool         { return false }

func TestArrivingObjectsAreHeldButNotServed(t *testing.T) {
	s := New(testFamilies(2), nil)
	fill(s, 0, 3, 1) // 0 1 2
	s.Begin(belowThree, everything)
	fill(s, 3, 6, 1)
	equal(t, "served", strings.Join(served(t, s), " "), "0 1 2")
	st := s.Stats()
	equal(t, "Objects", st.Objects, 3)
	equal(t, "Arriving", st.Arriving, 3)
	equal(t, "TextBytes", st.TextBytes, Collect(Text, s).Size()-int64(len(s.families[0].TextHeader)+len(s.families[1].TextHeader)))
	s.Commit()
	equal(t, "served", strings.Join(served(t, s), " "), "0 1 2 3 4 5")
	verify(t, s)
}

func TestLeavingObjectsAreServedUntilCommit(t *testing.T) {
	s := New(testFamilies(2), NewBudget(0))
	fill(s, 0, 6, 1)
	s.Begin(everything, even)
	equal(t, "before", strings.Join(served(t, s), " "), "0 1 2 3 4 5")
	s.Delete(testID(1))
	putValue(s, 3, 2)
	equal(t, "changes still count", strings.Join(served(t, s), " "), "0 2 3 4 5")
	s.Commit()
	equal(t, "after", strings.Join(served(t, s), " "), "0 2 4")
	equal(t, "Has", s.Has(testID(3), 1), false)
	verify(t, s)
}

func TestAbortIsTheReverseOfCommit(t *testing.T) {
	s := New(testFamilies(2), nil)
	fill(s, 0, 3, 1)
	s.Begin(belowThree, odd)
	fill(s, 3, 6, 1)
	s.Abort()
	equal(t, "served", strings.Join(served(t, s), " "), "0 1 2")
	equal(t, "Arriving", s.Stats().Arriving, 0)
	fill(s, 7, 8, 1) // outside of a change everything is served
	equal(t, "served", strings.Join(served(t, s), " "), "0 1 2 7")
	verify(t, s)
}

func TestObjectsOfNeitherShardAreDropped(t *testing.T) {
	s := New(testFamilies(2), nil)
	fill(s, 0, 6, 1)
	s.Begin(belowThree, even) // 5 is in neither
	equal(t, "served", strings.Join(served(t, s), " "), "0 1 2")
	equal(t, "Arriving", s.Stats().Arriving, 1)
	fill(s, 7, 8, 1)
	s.Commit()
	equal(t, "served", strings.Join(served(t, s), " "), "0 2 4")
	verify(t, s)
}

func TestCommitWithoutBeginDoesNothing(t *testing.T) {
	s := New(testFamilies(2), nil)
	fill(s, 0, 3, 1)
	s.Commit()
	s.Abort()
	equal(t, "served", strings.Join(served(t, s), " "), "0 1 2")
	s.Begin(everything, even)
	s.Commit()
	s.Commit()
	s.Abort()
	equal(t, "served", strings.Join(served(t, s), " "), "0 2")
}

func TestSecondBeginReplacesTheFirst(t *testing.T) {
	s := New(testFamilies(2), nil)
	fill(s, 0, 6, 1)
	s.Begin(everything, odd)
	s.Begin(everything, even) // those that were leaving stay, and the reverse
	equal(t, "served", strings.Join(served(t, s), " "), "0 1 2 3 4 5")
	s.Commit()
	equal(t, "served", strings.Join(served(t, s), " "), "0 2 4")

	s.Begin(even, everything)
	fill(s, 7, 8, 1) // arrives
	s.Begin(even, even)
	s.Commit() // and is not wanted any more
	equal(t, "served", strings.Join(served(t, s), " "), "0 2 4")

	s.Begin(even, nothing)
	s.Commit()
	equal(t, "Buckets", s.Stats().Buckets, 0)
	verify(t, s)
}

// A change must not open pages again at its end: Commit is to be instant.
func TestCommitOpensNoPage(t *testing.T) {
	s := New(testFamilies(5), NewBudget(0))
	fill(s, 0, 4*slotsPerBucket, 1)
	s.Begin(everything, even)
	before := s.Stats()
	s.Commit()
	after := s.Stats()
	equal(t, "Unpacks", after.Unpacks, before.Unpacks)
	equal(t, "Packs", after.Packs, before.Packs)
	equal(t, "Objects", after.Objects, 2*slotsPerBucket)
	verify(t, s)
}
