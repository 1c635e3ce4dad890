package store

import (
	"testing"
	"time"
)

// Snapshots, lists and sweeps do not change the expiry time.
func TestExpiringObjectStaysUntilItsExpiryTime(t *testing.T) {
	s := New(testFamilies(1), nil)
	now := s.created
	visible := func() bool {
		snap := TakeSnapshot(Text, s)
		defer snap.Release()
		return s.Stats().Objects == 1
	}
	putValue(s, 1, 1)
	visible()
	s.ExpireAt(testID(1), now.Add(time.Minute))
	for range 3 {
		s.RemoveExpired(now.Add(time.Minute - 1))
		s.Sweep(time.Minute, now.Add(time.Minute-1))
		if !visible() || !s.IsExpiring(testID(1)) {
			t.Fatal("the object was removed before its expiry time")
		}
	}
	if n := s.Retain(0, 0, func(func(ID) bool) {}); n != 0 {
		t.Error("Retain removed an expiring object")
	}
	s.ExpireAt(testID(1), now.Add(time.Hour)) // repeated deletion
	s.RemoveExpired(now.Add(time.Minute))
	if visible() || s.IsExpiring(testID(1)) {
		t.Error("the object is still visible after its expiry time")
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
		t.Error("the deleted version cancelled the expiry")
	}
	put(2)
	s.RemoveExpired(s.created.Add(time.Hour))
	equal(t, "Objects", s.Stats().Objects, 1)
	s.ExpireAt(ID{9}, s.created) // not in the store
	equal(t, "expiring", len(s.expiring), 0)
}

// A sweep first determines the expired objects and then removes them one by one.
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
