package store

import (
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
	equal(t, "held as listed", a.Listed(Version{testID(0), 5}), true)
	equal(t, "held in a newer version", a.Listed(Version{testID(1), 4}), true)
	equal(t, "held in an older version", a.Listed(Version{testID(2), 6}), false)
	equal(t, "not held", a.Listed(Version{testID(7), 5}), false)
	putVersion(s, 5, 6) // meanwhile
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
