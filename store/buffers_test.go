package store

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/statefleet/statefleet/internal/faketime"
)

// stuckWriter takes nothing until it is let go; then it fails.
type stuckWriter struct {
	asked chan<- int // the size of the first write
	let   <-chan struct{}
}

func (w stuckWriter) Write(p []byte) (int, error) {
	w.asked <- len(p)
	<-w.let
	return 0, errBroken
}

// TestManyScrapesTakeAChunkEach: what clients that do not read hold up is one chunk of
// 64 KiB for each.
func TestManyScrapesTakeAChunkEach(t *testing.T) {
	const scrapes, each, slack = 40, 64 << 10, 1 << 20
	s := New(testFamilies(1), nil)
	for n := range 2_000 {
		s.Put(Object{ID: testID(n)}, linesOf(line(0, n, strings.Repeat("x", 600), 1)))
	}
	s.Sweep(0, noon)
	if err := Collect(Text, s).WriteText(&brokenWriter{}); err == nil {
		t.Fatal("a page was written to a writer that takes nothing")
	}
	for name, write := range map[string]func(p *Page, w stuckWriter) error{
		"text": func(p *Page, w stuckWriter) error { return p.WriteText(w) },
		"gzip": func(p *Page, w stuckWriter) error { return p.WriteGzip(w) },
	} {
		t.Run(name, func(t *testing.T) {
			asked, let, ended := make(chan int), make(chan struct{}), make(chan error)
			before := heap()
			for range scrapes {
				go func() { ended <- write(Collect(Text, s), stuckWriter{asked, let}) }()
			}
			for range scrapes {
				if n := <-asked; n > each {
					t.Errorf("a write of %d bytes", n)
				}
			}
			if took, most := heap()-before, int64(scrapes*each+slack); took > most {
				t.Errorf("%d scrapes take %d bytes, more than %d", scrapes, took, most)
			}
			close(let)
			for range scrapes {
				if err := <-ended; err == nil {
					t.Error("no error")
				}
			}
		})
	}
}

// heap is how many bytes are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // the first one leaves what pools hold
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestPagesWaitForATurnToBePacked: memory for packing and unpacking is there for as many
// pages as there are CPUs, however many scrapes ask.
func TestPagesWaitForATurnToBePacked(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		c := newCodec()
		for range cap(c.turns) {
			c.enter()
		}
		done := false
		go func() {
			p := c.deflate([]byte("a 1\n"), nil)
			if err := c.inflate(make([]byte, p.size), p); err != nil {
				t.Error(err)
			}
			done = true
		}()
		if synctest.Wait(); done {
			t.Error("more pages at once than there are CPUs")
		}
		for range cap(c.turns) {
			c.leave()
		}
		if synctest.Wait(); !done {
			t.Error("a page still waits for its turn")
		}
	})
}
