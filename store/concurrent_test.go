package store

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	concurrentFamilies = 6
	stableObjects      = 300 // in both shards, never deleted: 0 to 299
	volatileObjects    = 600 // put, deleted, and moved between the shards
	scrapes            = 40
)

// Stable objects are in both shards. Of the others, the first shard has those with an even hash,
// the second those with an odd one.
func inFirst(hash uint64) bool  { return hash < stableObjects || hash%2 == 0 }
func inSecond(hash uint64) bool { return hash < stableObjects || hash%2 == 1 }

// TestEveryScrapeSeesWholeObjects runs all operations concurrently. Each object has its version in
// a line of every family, which reveals a scrape that mixes two versions, has an object twice, or
// misses one.
func TestEveryScrapeSeesWholeObjects(t *testing.T) {
	s := New(testFamilies(concurrentFamilies), NewBudget(100_000))
	fill(s, 0, stableObjects, 1)
	stop := make(chan struct{})
	var others sync.WaitGroup
	var counts []*atomic.Uint64 // iterations of each goroutine
	repeat := func(work func(turn uint64)) {
		count := new(atomic.Uint64)
		counts = append(counts, count)
		others.Go(func() {
			for turn := uint64(2); ; turn++ {
				select {
				case <-stop:
					return
				default:
					work(turn)
					count.Add(1)
				}
			}
		})
	}
	repeat(func(turn uint64) { putVersion(s, rand.IntN(stableObjects), turn) })
	repeat(func(turn uint64) { putVersion(s, stableObjects+rand.IntN(volatileObjects), turn) })
	repeat(func(turn uint64) { s.Delete(testID(stableObjects + rand.IntN(volatileObjects))) })
	repeat(func(turn uint64) { s.Sweep(0, time.Unix(int64(turn), 0)) })
	repeat(func(turn uint64) { s.HasVersion(testID(3), turn); s.Stats() })
	repeat(func(turn uint64) { reshard(s, turn) })
	repeat(func(turn uint64) {
		s.Retain(0, 0, func(yield func(ID) bool) {
			for n := 0; n < stableObjects+volatileObjects && yield(testID(n)); n++ {
				if n > stableObjects && n%7 == 0 {
					n++ // not listed, so Retain removes it
				}
			}
		})
	})
	idle := func(count *atomic.Uint64) bool { return count.Load() < 10 }
	var scrapers sync.WaitGroup
	for i := range 2 {
		scrapers.Go(func() {
			for n := 0; n < scrapes || slices.ContainsFunc(counts, idle); n++ { // on a busy machine, some start late
				if err := checkScrape(s, i+n); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	scrapers.Wait()
	close(stop)
	others.Wait()
	verify(t, s)
}

func reshard(s *Store, turn uint64) {
	now, next := inFirst, inSecond
	if turn%2 == 0 {
		now, next = next, now
	}
	beginReshard(s, now, next)
	switch turn % 5 {
	case 0: // the next reshard replaces it
	case 1:
		abortReshard(s, now)
	default:
		commitReshard(s, next)
	}
}

func putVersion(s *Store, n int, version uint64) {
	s.Put(Object{ID: testID(n), Hash: uint64(n), Version: version}, linesOf(textsOf(s, n, version)...))
}

// checkScrape scrapes once and returns an error if an object is missing or incomplete.
func checkScrape(s *Store, turn int) error {
	var text []byte
	var out bytes.Buffer
	snap := TakeSnapshot(Text, s)
	defer snap.Release()
	if turn%2 == 0 {
		if err := snap.WriteText(&out); err != nil {
			return err
		}
		text = out.Bytes()
	} else {
		size := snap.GzipSize()
		if err := snap.WriteGzip(&out); err != nil {
			return err
		}
		if int64(out.Len()) != size {
			return fmt.Errorf("GzipSize() = %d, %d bytes written", size, out.Len())
		}
		r, err := gzip.NewReader(&out)
		if err != nil {
			return err
		}
		if text, err = io.ReadAll(r); err != nil {
			return err
		}
	}
	return checkVersions(string(text))
}

func checkVersions(text string) error {
	versions := map[string][]string{} // per object, one per family
	for l := range strings.Lines(text) {
		if !strings.HasPrefix(l, "#") {
			object := strings.Split(l, `"`)[1]
			versions[object] = append(versions[object], l[strings.LastIndexByte(l, ' '):])
		}
	}
	for object, seen := range versions {
		if len(seen) != concurrentFamilies || len(slices.Compact(slices.Clone(seen))) != 1 {
			return fmt.Errorf("object %s: versions %q, want %d equal ones", object, seen, concurrentFamilies)
		}
	}
	for n := range stableObjects {
		if _, there := versions[strconv.Itoa(n)]; !there {
			return fmt.Errorf("object %d is missing", n)
		}
	}
	return nil
}

// TestSetVisibleIsAtomicForReaders alternates between two shards without a common object. Every
// scrape must contain all objects of one of them and none of the other.
func TestSetVisibleIsAtomicForReaders(t *testing.T) {
	const objects, turns = 200, 20
	s := New(testFamilies(2), NewBudget(50_000))
	put := func(parity int) {
		for n := parity; n < objects; n += 2 {
			putVersion(s, n, 1)
		}
	}
	put(0)
	done := make(chan struct{})
	var scraper sync.WaitGroup
	var seen [2]atomic.Int64 // snapshots with even and with odd objects
	scraper.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			parity, err := oneShard(s, objects/2)
			if err != nil {
				t.Error(err)
				return
			}
			seen[parity].Add(1)
		}
	})
	for turn := 0; !t.Failed() && (turn < turns || seen[0].Load() == 0 || seen[1].Load() == 0); turn++ {
		beginReshard(s, even, odd)
		put(1)
		commitReshard(s, odd)
		beginReshard(s, odd, even)
		put(0)
		commitReshard(s, even)
	}
	close(done)
	scraper.Wait()
	verify(t, s)
}

// oneShard scrapes once and returns whether the objects are even (0) or odd (1).
func oneShard(s *Store, objects int) (parityOfAll byte, err error) {
	var out bytes.Buffer
	if err := TakeSnapshot(Text, s).WriteText(&out); err != nil {
		return 0, err
	}
	parity := map[byte]int{}
	for l := range strings.Lines(out.String()) {
		if number, found := strings.CutPrefix(l, `kube_test_family_00{object="`); found {
			number, _, _ = strings.Cut(number, `"`)
			parity[number[len(number)-1]%2]++
		}
	}
	if len(parity) != 1 || parity[0]+parity[1] != objects {
		return 0, fmt.Errorf("%d even and %d odd objects", parity[0], parity[1])
	}
	if parity[1] > 0 {
		return 1, nil
	}
	return 0, nil
}

// TestRetainNeverRemovesListedObjectsFromAScrape relists during scrapes. Objects that are in every
// list must be in every scrape.
func TestRetainNeverRemovesListedObjectsFromAScrape(t *testing.T) {
	s := New(testFamilies(concurrentFamilies), NewBudget(100_000))
	fill(s, 0, stableObjects, 1)
	done := make(chan struct{})
	var scraper sync.WaitGroup
	var scraped atomic.Int64
	scraper.Go(func() {
		for turn := 0; ; turn++ {
			select {
			case <-done:
				return
			default:
			}
			if err := checkScrape(s, turn); err != nil {
				t.Error(err)
				return
			}
			scraped.Add(1)
		}
	})
	for turn := 0; !t.Failed() && (turn < 10 || scraped.Load() < 5); turn++ {
		var listed []ID
		for n := range stableObjects {
			putVersion(s, n, uint64(turn))
			listed = append(listed, testID(n))
		}
		fill(s, 1000, 1050, 1) // not in the next list
		s.Retain(0, 0, slices.Values(listed))
	}
	close(done)
	scraper.Wait()
	equal(t, "Objects", s.Stats().Objects, stableObjects)
}
