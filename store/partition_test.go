package store

import (
	"strings"
	"testing"
	"time"
)

func even(hash uint64) bool       { return hash%2 == 0 }
func odd(hash uint64) bool        { return hash%2 == 1 }
func belowThree(hash uint64) bool { return hash < 3 }
func nothing(uint64) bool         { return false }

func TestHiddenPartitionsAreHeldButNotVisible(t *testing.T) {
	s := New(testFamilies(2), nil)
	fill(s, 0, 3, 1) // 0 1 2
	beginReshard(s, belowThree, everything)
	fill(s, 3, 6, 1)
	equal(t, "visible", strings.Join(visibleObjects(t, s), " "), "0 1 2")
	st := s.Stats()
	equal(t, "Objects", st.Objects, 3)
	equal(t, "HiddenObjects", st.HiddenObjects, 3)
	headers := len(s.families[0].TextHeader) + len(s.families[1].TextHeader)
	equal(t, "TextBytes", st.TextBytes, TakeSnapshot(Text, s).Size()-int64(headers))
	s.SetVisible(nextPartitions)
	equal(t, "visible", strings.Join(visibleObjects(t, s), " "), "0 1 2 3 4 5")
	s.SetVisible(0)
	equal(t, "visible", strings.Join(visibleObjects(t, s), " "), "")
	equal(t, "HiddenObjects", s.Stats().HiddenObjects, 6)
	verify(t, s)
}

func TestPartitionsCanBeShownAndHiddenRepeatedly(t *testing.T) {
	s := New(testFamilies(3), NewBudget(0))
	s.SetPartitioning(func(hash uint64) (Partition, bool) { return Partition(hash % 3), true }, 1)
	fill(s, 0, 9, 1)
	for _, c := range []struct {
		parts PartitionSet
		want  string
	}{
		{1, "0 3 6"}, {2, "1 4 7"}, {1 | 4, "0 2 3 5 6 8"}, {0, ""}, {1 | 2 | 4, "0 1 2 3 4 5 6 7 8"}, {1, "0 3 6"},
	} {
		s.SetVisible(c.parts)
		equal(t, "visible", strings.Join(visibleObjects(t, s), " "), c.want)
		verify(t, s)
	}
	equal(t, "changed while hidden", putValue(s, 1, 2), true)
	s.Delete(testID(4))
	s.SetVisible(2)
	equal(t, "visible", strings.Join(visibleObjects(t, s), " "), "1 7")
}

func TestHiddenObjectsBecomeVisibleBySource(t *testing.T) {
	s := New(testFamilies(2), NewBudget(0))
	put := func(n int, version uint64, hidden bool) {
		s.Put(Object{ID: testID(n), Hash: uint64(n), Version: version, Source: uint32(n % 2), Hidden: hidden},
			linesOf(line(0, n, "", version), line(1, n, "", version)))
	}
	put(0, 1, false)
	for n := 1; n < 6; n++ {
		put(n, 1, true)
	}
	put(0, 2, true)  // stays visible
	put(1, 2, false) // stays hidden
	equal(t, "visible", strings.Join(visibleObjects(t, s), " "), "0")
	equal(t, "HiddenObjects", s.Stats().HiddenObjects, 5)
	s.Delete(testID(3))
	s.Show(1)
	equal(t, "visible", strings.Join(visibleObjects(t, s), " "), "0 1 5")
	for g := range s.current {
		if g.hidden && g.source == 1 {
			t.Error("the store keeps a bucket for hidden objects of a source that was shown")
		}
	}
	beginReshard(s, belowThree, everything)
	equal(t, "visible before the switch", strings.Join(visibleObjects(t, s), " "), "0 1")
	s.Sweep(0, time.Now())
	s.SetVisible(nextPartitions)
	equal(t, "visible after the switch", strings.Join(visibleObjects(t, s), " "), "0 1 5")
	put(7, 1, true)
	s.Show(0)
	equal(t, "visible", strings.Join(visibleObjects(t, s), " "), "0 1 2 4 5")
	verify(t, s)
}

func TestLeavingObjectsStayVisibleUntilTheSwitch(t *testing.T) {
	s := New(testFamilies(2), NewBudget(0))
	fill(s, 0, 6, 1)
	beginReshard(s, everything, even)
	equal(t, "before the switch", strings.Join(visibleObjects(t, s), " "), "0 1 2 3 4 5")
	s.Delete(testID(1))
	putValue(s, 3, 2)
	equal(t, "after a delete and a put", strings.Join(visibleObjects(t, s), " "), "0 2 3 4 5")
	commitReshard(s, even)
	equal(t, "after the switch", strings.Join(visibleObjects(t, s), " "), "0 2 4")
	equal(t, "HasVersion", s.HasVersion(testID(3), 1), false)
	fill(s, 7, 9, 1)
	equal(t, "after puts, one of an object in no partition", strings.Join(visibleObjects(t, s), " "), "0 2 4 8")
	verify(t, s)
}

func TestObjectsOfNoPartitionAreDropped(t *testing.T) {
	s := New(testFamilies(2), nil)
	fill(s, 0, 6, 1)
	beginReshard(s, belowThree, even) // neither contains 5
	equal(t, "visible", strings.Join(visibleObjects(t, s), " "), "0 1 2")
	equal(t, "HiddenObjects", s.Stats().HiddenObjects, 1)
	fill(s, 7, 8, 1)
	commitReshard(s, even)
	equal(t, "visible", strings.Join(visibleObjects(t, s), " "), "0 2 4")
	verify(t, s)
}

func TestNewPartitioningReplacesUnfinishedOne(t *testing.T) {
	s := New(testFamilies(2), nil)
	fill(s, 0, 6, 1)
	beginReshard(s, everything, odd)
	beginReshard(s, everything, even) // the opposite of the first one
	equal(t, "visible", strings.Join(visibleObjects(t, s), " "), "0 1 2 3 4 5")
	commitReshard(s, even)
	equal(t, "visible", strings.Join(visibleObjects(t, s), " "), "0 2 4")

	beginReshard(s, even, everything)
	fill(s, 7, 8, 1) // put for the next shard
	beginReshard(s, even, even)
	commitReshard(s, even) // object 7 is not in the shard any more
	equal(t, "visible", strings.Join(visibleObjects(t, s), " "), "0 2 4")

	beginReshard(s, even, nothing)
	commitReshard(s, nothing)
	equal(t, "Buckets", s.Stats().Buckets, 0)
	verify(t, s)
}

func TestSetVisibleDecompressesNoBlock(t *testing.T) {
	s := New(testFamilies(5), NewBudget(0))
	fill(s, 0, 4*slotsPerBucket, 1)
	beginReshard(s, everything, even)
	before := s.Stats()
	s.SetVisible(nextPartitions)
	after := s.Stats()
	equal(t, "Decompressions", after.Decompressions, before.Decompressions)
	equal(t, "Compressions", after.Compressions, before.Compressions)
	equal(t, "Objects", after.Objects, 2*slotsPerBucket)
	commitReshard(s, even)
	equal(t, "Decompressions", s.Stats().Decompressions, before.Decompressions)
	verify(t, s)
}

func TestPartitionSetOf(t *testing.T) {
	equal(t, "even partitions", PartitionSetOf(func(p Partition) bool { return p < 8 && p%2 == 0 }), 0b1010101)
	equal(t, "none", PartitionSetOf(func(Partition) bool { return false }), 0)
}
