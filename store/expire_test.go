package store

import (
	"testing"
	"time"
)

func TestExpiringObjectStaysUntilItWasSeen(t *testing.T) {
	start := time.Unix(1000, 0)
	object := func(n byte, version uint64) Object { return Object{ID: ID{n}, Version: version} }
	text := func(s string) *Lines { return &Lines{Buf: []byte(s), Ends: []int{len(s)}} }
	count := func(s *Store) int { return s.Stats().Objects }

	s := New([]Family{{Name: "f"}}, nil)
	s.Put(object(1, 1), text("f{} 1\n"))
	Collect(Text, s)
	if s.Expire(ID{1}, start.Add(time.Minute)); count(s) != 0 {
		t.Error("an object that was seen stays")
	}

	s.Put(object(2, 1), text("f{} 2\n"))
	s.Expire(ID{2}, start.Add(time.Minute))
	s.Sweep(time.Minute, start)
	if count(s) != 1 || !s.Expiring(ID{2}) {
		t.Error("an object goes before it was seen")
	}
	if n := s.Retain(0, 0, func(func(ID) bool) {}); n != 0 || count(s) != 1 {
		t.Error("a list removes what is held to be seen")
	}
	s.Put(object(2, 1), text("f{} 2\n"))
	if !s.Expiring(ID{2}) {
		t.Error("the version that was deleted comes again and revives the object")
	}
	Collect(Text, s)
	s.Sweep(time.Minute, start)
	if count(s) != 0 || s.Expiring(ID{2}) {
		t.Error("an object stays after it was seen")
	}

	s.Put(object(3, 1), text("f{} 3\n"))
	s.Expire(ID{3}, start.Add(time.Minute))
	s.Sweep(time.Minute, start.Add(2*time.Minute))
	if count(s) != 0 {
		t.Error("an object stays beyond its time")
	}

	s.Put(object(4, 1), text("f{} 4\n"))
	s.Expire(ID{4}, start.Add(time.Minute))
	s.Put(object(4, 2), text("f{} 5\n"))
	s.Sweep(time.Minute, start.Add(2*time.Minute))
	if count(s) != 1 {
		t.Error("an object that came again goes")
	}
}

// A sweep finds out what is due before it takes the objects out one by one.
func TestNewerVersionThatComesWhileASweepBuries(t *testing.T) {
	s := New(testFamilies(1), nil)
	putValue(s, 1, 1)
	s.Expire(testID(1), s.made)
	due := s.due(time.Minute)
	equal(t, "due", len(due), 1)
	s.Put(Object{ID: testID(1), Hash: 1, Version: 2}, linesOf(textsOf(s, 1, 2)...))
	s.expired(due[0])
	equal(t, "Objects", s.Stats().Objects, 1)
	verify(t, s)
}
