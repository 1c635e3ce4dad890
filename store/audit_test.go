package store

import (
	"slices"
	"testing"
	"time"
)

func TestAuditFindsWhatDiffers(t *testing.T) {
	s := New(testFamilies(2), nil)
	for n := range 6 {
		putVersion(s, n, 5)
	}
	s.Put(Object{ID: testID(9), Version: 5, Source: 1}, linesOf(textsOf(s, 9, 5)...)) // another source's
	s.Expire(testID(4), time.Unix(1<<40, 0))
	a := s.Audit(0)
	equal(t, "held as listed", a.Listed(Version{testID(0), 5}), Held)
	equal(t, "held in a newer version before", a.Listed(Version{testID(1), 4}), Ahead)
	equal(t, "held in an older version", a.Listed(Version{testID(2), 6}), Missing)
	equal(t, "not held", a.Listed(Version{testID(7), 5}), Missing)
	putVersion(s, 5, 6) // meanwhile
	equal(t, "held in a newer version since", a.Listed(Version{testID(5), 5}), Held)
	unlisted := a.Unlisted()
	if len(unlisted) != 1 || unlisted[0] != (Version{testID(3), 5}) {
		t.Errorf("unlisted %v", unlisted)
	}
	equal(t, "Holds", s.Holds(unlisted[0]), true)
	equal(t, "Holds what expires", s.Holds(Version{testID(4), 5}), false)
	putVersion(s, 3, 6)
	equal(t, "Holds another version", s.Holds(unlisted[0]), false)
	verify(t, s)
}

func TestForgottenVersionsAreOlderThanAny(t *testing.T) {
	s := New(testFamilies(2), nil)
	putVersion(s, 1, 50)
	putVersion(s, 2, 50)
	s.Forget()
	equal(t, "Has", s.Has(testID(1), 1), false)
	putVersion(s, 1, 5)
	equal(t, "Has what was put", s.Has(testID(1), 5), true)
	equal(t, "gone", s.Retain(0, 9, slices.Values([]ID{testID(1)})), 1)
	verify(t, s)
}
