package store

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/statefleet/statefleet/internal/testing/faketime"
)

// blockedWriter blocks until unblock is closed, and then fails.
type blockedWriter struct {
	writes  chan<- int // the size of the first write
	unblock <-chan struct{}
}

func (w blockedWriter) Write(p []byte) (int, error) {
	w.writes <- len(p)
	<-w.unblock
	return 0, errBroken
}

// A client that does not read keeps one chunk of 64 KiB in memory.
func TestEachWaitingScrapeHoldsOneChunk(t *testing.T) {
	const scrapes, each, slack = 40, 64 << 10, 1 << 20
	s := New(testFamilies(1), nil)
	for n := range 2_000 {
		s.Put(Object{ID: testID(n)}, linesOf(line(0, n, strings.Repeat("x", 600), 1)))
	}
	s.Sweep(0, noon)
	if err := TakeSnapshot(Text, s).WriteText(&brokenWriter{}); err == nil {
		t.Fatal("no error from a writer that accepts nothing")
	}
	for name, write := range map[string]func(snap *Snapshot, w blockedWriter) error{
		"text": func(snap *Snapshot, w blockedWriter) error { return snap.WriteText(w) },
		"gzip": func(snap *Snapshot, w blockedWriter) error { return snap.WriteGzip(w) },
	} {
		t.Run(name, func(t *testing.T) {
			writes, unblock, ended := make(chan int), make(chan struct{}), make(chan error)
			before := heapInUse()
			for range scrapes {
				go func() { ended <- write(TakeSnapshot(Text, s), blockedWriter{writes, unblock}) }()
			}
			for range scrapes {
				if n := <-writes; n > each {
					t.Errorf("a write of %d bytes, want at most %d", n, each)
				}
			}
			if took, most := heapInUse()-before, int64(scrapes*each+slack); took > most {
				t.Errorf("%d scrapes take %d bytes, want at most %d", scrapes, took, most)
			}
			close(unblock)
			for range scrapes {
				if err := <-ended; err == nil {
					t.Error("no error from a writer that fails")
				}
			}
		})
	}
}

// heapInUse is the size of live objects on the heap in bytes.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // the first run moves pooled memory to the victim cache
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// The memory for compression must not grow with the number of scrapes.
func TestConcurrentCompressionsAreLimitedToCPUs(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		c := newCodec()
		for range cap(c.sem) {
			c.acquire()
		}
		done := false
		go func() {
			ct := c.compress([]byte("a 1\n"), &slotLens{})
			if err := c.decompress(make([]byte, ct.size), ct); err != nil {
				t.Error(err)
			}
			done = true
		}()
		if synctest.Wait(); done {
			t.Error("compression did not wait for a permit")
		}
		for range cap(c.sem) {
			c.release()
		}
		if synctest.Wait(); !done {
			t.Error("compression still waits although permits are free")
		}
	})
}
