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
	s.Put(Object{ID: testID(9), Version: 5, Source: 1}, linesOf(textsOf(s, 9, 5)...)) // of another source
	s.ExpireAt(testID(4), time.Unix(1<<40, 0))
	c := s.Compare(0)
	equal(t, "stored in the listed version", c.Observe(Version{testID(0), 5}), Matching)
	equal(t, "stored in a newer version before the comparison", c.Observe(Version{testID(1), 4}), Newer)
	equal(t, "stored in an older version", c.Observe(Version{testID(2), 6}), Missing)
	equal(t, "not stored", c.Observe(Version{testID(7), 5}), Missing)
	putVersion(s, 5, 6) // during the comparison
	equal(t, "put in a newer version during the comparison", c.Observe(Version{testID(5), 5}), Matching)
	extra := c.Extra()
	if len(extra) != 1 || extra[0] != (Version{testID(3), 5}) {
		t.Errorf("Extra() = %v, want only object 3", extra)
	}
	equal(t, "HasExactVersion", s.HasExactVersion(extra[0]), true)
	equal(t, "HasExactVersion of an expiring object", s.HasExactVersion(Version{testID(4), 5}), false)
	putVersion(s, 3, 6)
	equal(t, "HasExactVersion after a new version", s.HasExactVersion(extra[0]), false)
	verify(t, s)
}

// A comparison may read a list that is older than the one that Retain has.
func TestComparisonDoesNotKeepObjectsThatAListRemoves(t *testing.T) {
	s := New(testFamilies(2), nil)
	putVersion(s, 1, 5)
	putVersion(s, 2, 5)
	c := s.Compare(0)
	removed := s.Retain(0, 9, func(yield func(ID) bool) {
		yield(testID(2))
		equal(t, "finding", c.Observe(Version{testID(1), 5}), Matching)
	})
	equal(t, "removed", removed, 1)
	equal(t, "held", s.Contains(testID(1)), false)
	verify(t, s)
}

func TestResetVersionsAreOlderThanAnyOther(t *testing.T) {
	s := New(testFamilies(2), nil)
	putVersion(s, 1, 50)
	putVersion(s, 2, 50)
	s.ResetAllVersions()
	equal(t, "HasVersion", s.HasVersion(testID(1), 1), false)
	putVersion(s, 1, 5)
	equal(t, "HasVersion of the version put afterwards", s.HasVersion(testID(1), 5), true)
	equal(t, "removed", s.Retain(0, 9, slices.Values([]ID{testID(1)})), 1)
	verify(t, s)
}
