package store

import (
	"testing"
	"time"
)

// A held object stays for its time and no longer, whatever is collected, listed or
// swept meanwhile.
func TestExpiringObjectStaysUntilItsExpiryTime(t *testing.T) {
	s := New(testFamilies(1), nil)
	now := s.created
	shown := func() bool {
		snap := TakeSnapshot(Text, s)
		defer snap.Release()
		return s.Stats().Objects == 1
	}
	putValue(s, 1, 1)
	shown()
	s.ExpireAt(testID(1), now.Add(time.Minute))
	for range 3 {
		s.RemoveExpired(now.Add(time.Minute - 1))
		s.Sweep(time.Minute, now.Add(time.Minute-1))
		if !shown() || !s.IsExpiring(testID(1)) {
			t.Fatal("the object is gone before its time is over")
		}
	}
	if n := s.Retain(0, 0, func(func(ID) bool) {}); n != 0 {
		t.Error("a list that does not name the object removes it")
	}
	s.ExpireAt(testID(1), now.Add(time.Hour)) // the deletion is read again
	s.RemoveExpired(now.Add(time.Minute))
	if shown() || s.IsExpiring(testID(1)) {
		t.Error("the object is there when its time is over")
	}
	verify(t, s)
}

func TestSweepRemovesExpiredObjects(t *testing.T) {
	s := New(testFamilies(1), nil)
	putValue(s, 1, 1)
	s.ExpireAt(testID(1), s.created.Add(time.Minute))
	s.Sweep(time.Minute, s.created.Add(time.Minute))
	equal(t, "Objects", s.Stats().Objects, 0)
}

func TestOnlyNewerVersionCancelsExpiry(t *testing.T) {
	s := New(testFamilies(1), nil)
	put := func(version uint64) {
		s.Put(Object{ID: testID(1), Hash: 1, Version: version}, linesOf(textsOf(s, 1, version)...))
	}
	put(1)
	s.ExpireAt(testID(1), s.created.Add(time.Minute))
	put(1)
	if !s.IsExpiring(testID(1)) {
		t.Error("the version that was deleted revives the object")
	}
	put(2)
	s.RemoveExpired(s.created.Add(time.Hour))
	equal(t, "Objects", s.Stats().Objects, 1)
	s.ExpireAt(ID{9}, s.created) // one that is not held
	equal(t, "expiring", len(s.expiring), 0)
}

// A sweep finds out what is due before it takes the objects out one by one.
func TestVersionPutDuringSweepCancelsExpiry(t *testing.T) {
	s := New(testFamilies(1), nil)
	putValue(s, 1, 1)
	s.ExpireAt(testID(1), s.created)
	due := s.expiredIDs(time.Minute)
	equal(t, "due", len(due), 1)
	s.Put(Object{ID: testID(1), Hash: 1, Version: 2}, linesOf(textsOf(s, 1, 2)...))
	s.removeIfExpired(due[0])
	equal(t, "Objects", s.Stats().Objects, 1)
	verify(t, s)
}
