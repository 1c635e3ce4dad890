package store

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// textByFamily joins the text of all visible blocks by family.
func textByFamily(s *Store) (text map[string]string, memory int64) {
	text = map[string]string{}
	for blk := range s.BlockTexts() {
		text[blk.Family] += string(blk.Text)
		memory += blk.Memory
	}
	return text, memory
}

func TestBlockTextsMatchTheSnapshot(t *testing.T) {
	families := testFamilies(3)
	s := New(families, nil)
	for i := range 150 { // three buckets
		s.Put(Object{ID: testID(i), Hash: uint64(i)}, linesOf(line(0, i, "a", 1), "", line(2, i, "b", 2)))
	}
	want := readSnapshot(t, Text, TakeSnapshot(Text, s), families)
	check := func(when string) {
		t.Helper()
		text, memory := textByFamily(s)
		if len(text) != 2 {
			t.Errorf("%s: %d families, want 2", when, len(text))
		}
		for name, lines := range want {
			got := strings.SplitAfter(strings.TrimSuffix(text[name], "\n"), "\n")
			if len(got) != len(lines) || len(text[name]) != len(strings.Join(lines, "")) {
				t.Errorf("%s: %s has %d lines, want %d", when, name, len(got), len(lines))
			}
		}
		if st := s.Stats(); memory != st.RawBytes+st.CompressedBytes {
			t.Errorf("%s: memory %d, want %d", when, memory, st.RawBytes+st.CompressedBytes)
		}
	}
	check("raw")
	now := time.Now()
	s.Sweep(0, now)
	s.Sweep(0, now.Add(time.Second))
	if st := s.Stats(); st.RawBlocks != 0 {
		t.Fatalf("%d raw blocks after the sweep", st.RawBlocks)
	}
	check("compressed")
	for range s.BlockTexts() {
		break // the caller may stop early
	}
}

func TestBlockTextsSkipHiddenPartitions(t *testing.T) {
	s := New(testFamilies(1), nil)
	for i := range 10 {
		s.Put(Object{ID: testID(i), Hash: uint64(i)}, linesOf(line(0, i, "a", 1)))
	}
	s.SetPartitioning(func(hash uint64) (Partition, bool) { return Partition(hash % 2), true }, 1<<1)
	text, _ := textByFamily(s)
	if n := strings.Count(text["kube_test_family_00"], "\n"); n != 5 {
		t.Errorf("%d lines, want those of the 5 visible objects", n)
	}
}

func TestBlockTextsDuringConcurrentWrites(t *testing.T) {
	s := New(testFamilies(2), NewBudget(4<<10))
	var running sync.WaitGroup
	stop := make(chan struct{})
	running.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			n := i % 300
			s.Put(Object{ID: testID(n), Version: uint64(i + 1)}, linesOf(line(0, n, "a", uint64(i)), line(1, n, "b", 1)))
			if i%7 == 0 {
				s.Delete(testID(i % 11))
			}
		}
	})
	blocks := 0
	for n := 0; n < 200 || blocks < 200; n++ { // the writer may start late
		for blk := range s.BlockTexts() {
			blocks++
			if len(blk.Text) == 0 || blk.Text[len(blk.Text)-1] != '\n' || !strings.HasPrefix(string(blk.Text), blk.Family) {
				t.Fatalf("invalid block of %s: %.80q", blk.Family, blk.Text)
			}
		}
	}
	close(stop)
	running.Wait()
}
