package store

import (
	"fmt"
	"io"
	"runtime"
	"sync"
)

// maxInflaters bounds the CPUs one scrape takes.
const maxInflaters = 4

// chunk is a run of sheets on its way to the reader.
type chunk struct {
	sheets []*sheet
	memory *[chunkBytes]byte // of the Budget's buffers
	text   []byte            // in memory, unless a single sheet is larger
	err    error
	done   chan struct{} // capacity 1
}

// WriteText writes the page as plain text. Pages that are packed are inflated
// by a few goroutines, which end before it returns; of the text only a few
// chunks exist at a time, or only one while many pages are written.
func (p *Page) WriteText(w io.Writer) error {
	workers := min(runtime.GOMAXPROCS(0), maxInflaters)
	ahead := p.budget.buffers.reserve(2*workers - 1)
	defer p.budget.buffers.unreserve(ahead)
	t := &textWriter{rest: p.sheets, todo: make(chan *chunk, 1+ahead)}
	defer t.release(&p.budget.buffers) // once nobody fills chunks any more
	var running sync.WaitGroup
	for range min(workers, 1+ahead) {
		running.Go(func() {
			for chunk := range t.todo {
				chunk.fill(p.budget.codec)
				chunk.done <- struct{}{}
			}
		})
	}
	defer running.Wait()
	defer close(t.todo)
	for range 1 + ahead {
		if len(t.rest) > 0 {
			c := &chunk{memory: p.budget.buffers.take(), done: make(chan struct{}, 1)}
			t.all = append(t.all, c)
			t.order(c)
		}
	}
	return t.write(w)
}

// textWriter is the state of a page that is written as text.
type textWriter struct {
	rest  []*sheet    // not in a chunk yet
	todo  chan *chunk // to be filled; has room for all
	ahead []*chunk    // in the order of the page
	all   []*chunk
}

// order has a chunk filled with the next sheets.
func (t *textWriter) order(c *chunk) {
	t.rest = c.cut(t.rest)
	t.ahead = append(t.ahead, c)
	t.todo <- c
}

func (t *textWriter) write(w io.Writer) error {
	for len(t.ahead) > 0 {
		c := t.ahead[0]
		t.ahead = t.ahead[1:]
		<-c.done
		if c.err == nil {
			_, c.err = w.Write(c.text)
		}
		if c.err != nil {
			return fmt.Errorf("write page as text: %w", c.err)
		}
		if len(t.rest) > 0 {
			t.order(c)
		}
	}
	return nil
}

func (t *textWriter) release(b *buffers) {
	for _, c := range t.all {
		b.give(c.memory)
	}
}

// cut takes the next sheets and returns the others.
func (c *chunk) cut(sheets []*sheet) []*sheet {
	n, size := 0, 0
	for n < len(sheets) && (n == 0 || size+sheets[n].size() <= chunkBytes) {
		size += sheets[n].size()
		n++
	}
	c.sheets = sheets[:n]
	if size <= chunkBytes {
		c.text = c.memory[:size]
	} else {
		c.text = make([]byte, size) // not kept: that large it may be once
	}
	return sheets[n:]
}

// fill copies or inflates the text of the sheets.
func (c *chunk) fill(codec *codec) {
	dst := c.text
	for _, sh := range c.sheets {
		part := dst[:sh.size()]
		if r := sh.raw.Load(); r != nil {
			copy(part, r.text)
		} else if c.err = codec.inflate(part, sh.packed.Load()); c.err != nil {
			return
		}
		dst = dst[len(part):]
	}
}
