package store

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func TestSweepCompressesOnlyQuietBlocks(t *testing.T) {
	const quiet = time.Minute
	s := New(testFamilies(3), nil)
	fill(s, 0, 10, 1)
	at := func(seconds int) { s.Sweep(quiet, noon.Add(time.Duration(seconds)*time.Second)) }
	at(0) // the quiet time starts at the first sweep after a write
	equal(t, "RawBlocks at once", s.Stats().RawBlocks, 3)
	at(59)
	equal(t, "RawBlocks before the quiet time is over", s.Stats().RawBlocks, 3)
	texts := textsOf(s, 4, 1)
	texts[1] = line(1, 4, "", 2)
	s.Put(Object{ID: testID(4)}, linesOf(texts...))
	at(60)
	equal(t, "RawBlocks after a change of one", s.Stats().RawBlocks, 1)
	equal(t, "CompressedBlocks", s.Stats().CompressedBlocks, 2)
	at(119)
	equal(t, "RawBlocks before its quiet time is over", s.Stats().RawBlocks, 1)
	at(120)
	equal(t, "RawBlocks at the end", s.Stats().RawBlocks, 0)
	equal(t, "RawBytes", s.Stats().RawBytes, 0)
	verify(t, s)
}

func TestSweepMergesHalfEmptyBuckets(t *testing.T) {
	s := New(testFamilies(3), nil)
	fill(s, 0, 8*slotsPerBucket, 1)
	for n := range 8 * slotsPerBucket {
		if n%4 != 0 {
			s.Delete(testID(n))
		}
	}
	equal(t, "Buckets before", s.Stats().Buckets, 8)
	s.Sweep(0, noon)
	equal(t, "Buckets after", s.Stats().Buckets, 2)
	equal(t, "Objects", len(visibleObjects(t, s)), 2*slotsPerBucket)
	verify(t, s)
}

func TestSweepDoesNotMergeAcrossPartitions(t *testing.T) {
	s := New(testFamilies(3), nil)
	fill(s, 0, 20, 1)
	beginReshard(s, belowThree, even)
	s.Sweep(0, noon)
	equal(t, "Buckets", s.Stats().Buckets, 3)
	commitReshard(s, even)
	s.Sweep(0, noon)
	equal(t, "Buckets", s.Stats().Buckets, 1)
	verify(t, s)
}
