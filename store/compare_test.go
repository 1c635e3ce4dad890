package store

import (
	"slices"
	"testing"
	"time"
)

func TestComparisonFindsDifferences(t *testing.T) {
	s := New(testFamilies(2), nil)
	for n := range 6 {
		putVersion(s, n, 5)
	}
	s.Put(Object{ID: testID(9), Version: 5, Source: 1}, linesOf(textsOf(s, 9, 5)...)) // another source's
	s.ExpireAt(testID(4), time.Unix(1<<40, 0))
	c := s.Compare(0)
	equal(t, "held as listed", c.Observe(Version{testID(0), 5}), Matching)
	equal(t, "held in a newer version before", c.Observe(Version{testID(1), 4}), Newer)
	equal(t, "held in an older version", c.Observe(Version{testID(2), 6}), Missing)
	equal(t, "not held", c.Observe(Version{testID(7), 5}), Missing)
	putVersion(s, 5, 6) // meanwhile
	equal(t, "held in a newer version since", c.Observe(Version{testID(5), 5}), Matching)
	extra := c.Extra()
	if len(extra) != 1 || extra[0] != (Version{testID(3), 5}) {
		t.Errorf("unlisted %v", extra)
	}
	equal(t, "Holds", s.HasExactVersion(extra[0]), true)
	equal(t, "Holds what expires", s.HasExactVersion(Version{testID(4), 5}), false)
	putVersion(s, 3, 6)
	equal(t, "Holds another version", s.HasExactVersion(extra[0]), false)
	verify(t, s)
}

func TestResetVersionsAreOlderThanAnyOther(t *testing.T) {
	s := New(testFamilies(2), nil)
	putVersion(s, 1, 50)
	putVersion(s, 2, 50)
	s.ResetAllVersions()
	equal(t, "Has", s.HasVersion(testID(1), 1), false)
	putVersion(s, 1, 5)
	equal(t, "Has what was put", s.HasVersion(testID(1), 5), true)
	equal(t, "gone", s.Retain(0, 9, slices.Values([]ID{testID(1)})), 1)
	verify(t, s)
}
