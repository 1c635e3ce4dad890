package store

import (
	"bytes"
	"errors"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// saved returns the buckets that a store saves.
func saved(t testing.TB, s *Store) (buckets [][]byte) {
	t.Helper()
	if err := s.Save(func(b []byte) error { buckets = append(buckets, bytes.Clone(b)); return nil }); err != nil {
		t.Fatal(err)
	}
	return buckets
}

// loadedFrom returns a store with the families and the saved buckets of another one.
func loadedFrom(t testing.TB, s *Store, buckets [][]byte) *Store {
	t.Helper()
	loaded := New(s.families, nil)
	var all []*SavedBucket
	for _, data := range buckets {
		b, err := loaded.ParseBucket(data)
		if err != nil {
			t.Fatal(err)
		}
		clear(data) // ParseBucket must not keep it
		all = append(all, b)
	}
	loaded.Load(s.Key(), all)
	return loaded
}

func exposed(t testing.TB, s *Store) content {
	t.Helper()
	return readSnapshot(t, Text, TakeSnapshot(Text, s), s.families)
}

func TestLoadedStoreEqualsTheSavedOneThroughRandomChanges(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	families := testFamilies(66) // two words of a bitmap
	s := New(families, NewBudget(1<<20))
	change := func(on ...*Store) {
		id, version := rng.IntN(90), rng.Uint64N(1<<40)
		o, l := Object{ID: testID(id), Hash: uint64(id) << 50, Version: version, Source: uint32(id % 3)}, new(Lines)
		for f := range families {
			if rng.IntN(9) == 0 {
				l.Buf = append(l.Buf, line(f, id, "a", rng.Uint64N(4))...)
			}
			l.Ends = append(l.Ends, len(l.Buf))
		}
		remove := rng.IntN(4) == 0
		for _, s := range on {
			if remove {
				s.Delete(o.ID)
			} else {
				s.Put(o, &Lines{Buf: slices.Clone(l.Buf), Ends: slices.Clone(l.Ends)})
			}
		}
	}
	patched := 0
	for turn := range 4 {
		for range 100 {
			change(s)
		}
		if turn%2 == 0 {
			s.Sweep(0, time.Now())
			change(s)
		}
		s.mu.Lock()
		patched += s.visibleTotals.patched
		s.mu.Unlock()
		loaded := loadedFrom(t, s, saved(t, s))
		verify(t, loaded)
		equalContent(t, exposed(t, loaded), exposed(t, s))
		for range 50 { // both stores accept the same changes afterwards
			change(s, loaded)
		}
		equalContent(t, exposed(t, loaded), exposed(t, s))
		for id := range 90 {
			for _, v := range []uint64{1, 1 << 39} {
				if loaded.HasVersion(testID(id), v) != s.HasVersion(testID(id), v) {
					t.Fatalf("object %d: HasVersion(%d) differs between the two stores", id, v)
				}
			}
		}
	}
	if patched == 0 {
		t.Error("no block had a patch when it was saved")
	}
}

func TestLoadedObjectWithTheSameTextChangesNothing(t *testing.T) {
	s := New(testFamilies(2), nil)
	text := linesOf(line(0, 1, "a", 1), line(1, 1, "a", 2))
	s.Put(Object{ID: testID(1), Version: 5}, text)
	loaded := loadedFrom(t, s, saved(t, s))
	if loaded.Put(Object{ID: testID(1), Version: 6}, text) {
		t.Error("the same text counts as changed after loading")
	}
	if loaded.Put(Object{ID: testID(1), Version: 4}, linesOf("", "")) || !loaded.HasVersion(testID(1), 6) {
		t.Error("an older version was stored after loading")
	}
}

func TestExpiringObjectsAreNotLoaded(t *testing.T) {
	s := New(testFamilies(1), nil)
	for n := range 3 {
		s.Put(Object{ID: testID(n), Version: 1}, linesOf(line(0, n, "a", 1)))
	}
	s.ExpireAt(testID(1), time.Now().Add(time.Hour))
	loaded := loadedFrom(t, s, saved(t, s))
	if loaded.Contains(testID(1)) || !loaded.Contains(testID(0)) || !loaded.Contains(testID(2)) {
		t.Error("want all objects except the expiring one")
	}
	if n := len(exposed(t, loaded)["kube_test_family_00"]); n != 2 {
		t.Errorf("%d lines, want 2", n)
	}
}

func TestNewerOfTwoSavedVersionsIsLoaded(t *testing.T) {
	older, newer := New(testFamilies(1), nil), New(testFamilies(1), nil)
	older.Put(Object{ID: testID(1), Version: 1}, linesOf(line(0, 1, "older", 1)))
	older.Put(Object{ID: testID(2), Version: 1}, linesOf(line(0, 2, "a", 1)))
	newer.Put(Object{ID: testID(1), Version: 2}, linesOf(line(0, 1, "newer", 1)))
	for _, order := range [][]*Store{{older, newer}, {newer, older}} {
		var buckets [][]byte
		for _, s := range order {
			buckets = append(buckets, saved(t, s)...)
		}
		loaded := loadedFrom(t, older, buckets)
		want := content{"kube_test_family_00": {line(0, 1, "newer", 1), line(0, 2, "a", 1)}}
		equalContent(t, exposed(t, loaded), want)
	}
}

func TestSaveFailsWhenObjectsMove(t *testing.T) {
	s := New(testFamilies(1), nil)
	for n := range 200 {
		s.Put(Object{ID: testID(n), Hash: uint64(n), Version: 1}, linesOf(line(0, n, "a", 1)))
	}
	err := s.Save(func([]byte) error {
		s.SetPartitioning(func(hash uint64) (Partition, bool) { return Partition(hash % 2), true }, 3)
		return nil
	})
	if !errors.Is(err, ErrMoved) {
		t.Errorf("error %v, want %v", err, ErrMoved)
	}
	if err := s.Save(func([]byte) error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestSweepMergesNoBucketsWhileTheStoreIsSaved(t *testing.T) {
	s := New(testFamilies(1), nil)
	for n := range 2 * slotsPerBucket {
		s.Put(Object{ID: testID(n), Version: 1}, linesOf(line(0, n, "a", 1)))
	}
	for n := range 2 * slotsPerBucket {
		if n%4 != 0 {
			s.Delete(testID(n))
		}
	}
	if err := s.Save(func([]byte) error { s.Sweep(0, time.Now()); return nil }); err != nil {
		t.Error(err)
	}
	if n := s.Stats().Buckets; n != 2 {
		t.Fatalf("%d buckets, want 2", n)
	}
	s.Sweep(0, time.Now())
	if n := s.Stats().Buckets; n != 1 {
		t.Errorf("%d buckets after the sweep, want 1", n)
	}
}

// TestSaveWhileObjectsChange saves while other goroutines put and delete. Every object that is
// always stored is saved, in one of its versions.
func TestSaveWhileObjectsChange(t *testing.T) {
	s := New(testFamilies(4), NewBudget(100_000))
	put := func(n int, version uint64) {
		s.Put(Object{ID: testID(n), Version: version}, linesOf(line(0, n, "a", version), line(1, n, "a", version%3)))
	}
	const kept = 500
	for n := range kept {
		put(n, 1)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		rng := rand.New(rand.NewPCG(5, 6))
		for version := uint64(2); ; version++ {
			select {
			case <-stop:
				return
			default:
			}
			put(rng.IntN(kept), version)
			put(kept+rng.IntN(100), version)
			s.Delete(testID(kept + rng.IntN(100)))
			if version%50 == 0 {
				s.Sweep(0, time.Now())
			}
		}
	}()
	for range 10 {
		loaded := loadedFrom(t, s, saved(t, s))
		for n := range kept {
			if !loaded.Contains(testID(n)) {
				t.Fatalf("object %d was not saved", n)
			}
		}
		lines := exposed(t, loaded)["kube_test_family_00"]
		if st := loaded.Stats(); st.Objects < kept || st.Objects != len(lines) {
			t.Fatalf("loaded %d objects and %d lines, want equally many, at least %d", st.Objects, len(lines), kept)
		}
	}
	close(stop)
	<-done
}

func FuzzParseBucket(f *testing.F) {
	s := New(testFamilies(3), nil)
	for n := range 5 {
		s.Put(Object{ID: testID(n), Version: 1}, linesOf(line(0, n, "a", 1), "", line(2, n, "a", uint64(n))))
	}
	for _, b := range saved(f, s) {
		f.Add(b)
		f.Add(b[:len(b)-1])
		f.Add(b[:20])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		loaded := New(s.families, nil)
		b, err := loaded.ParseBucket(data)
		if err != nil {
			return
		}
		b.expiring = 0 // removing these objects would decompress blocks that may be no deflate data
		ids := map[ID]bool{}
		for i := range slotsOf(b.bucket.used) {
			ids[b.bucket.slots[i].id] = true
		}
		slots := bits.OnesCount64(b.bucket.used)
		if len(ids) < slots {
			return // removing the older version would decompress such a block
		}
		loaded.Load(s.Key(), []*SavedBucket{b})
		if n := loaded.Stats().Objects; n != slots {
			t.Errorf("loaded %d objects, want %d", n, slots)
		}
		var again []byte
		if err := loaded.Save(func(bucket []byte) error { again = bytes.Clone(bucket); return nil }); err != nil {
			t.Fatal(err)
		}
		if _, err := loaded.ParseBucket(again); err != nil {
			t.Errorf("a loaded bucket that was saved again is invalid: %v", err)
		}
	})
}
