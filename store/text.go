package store

import (
	"fmt"
	"io"
	"runtime"
	"sync"
)

const (
	// chunkBytes is how much text is inflated and written at a time.
	chunkBytes = 64 << 10
	// maxInflaters bounds the CPUs one scrape takes.
	maxInflaters = 4
)

// chunk is a run of sheets on its way to the reader.
type chunk struct {
	sheets []*sheet
	text   []byte
	err    error
	done   chan struct{} // capacity 1
}

// WriteText writes the page as plain text. Pages that are packed are inflated
// by a few goroutines, which end before it returns; of the text only a few
// chunks exist at a time.
func (p *Page) WriteText(w io.Writer) error {
	workers := min(runtime.GOMAXPROCS(0), maxInflaters)
	window := 2 * workers
	todo := make(chan *chunk, window)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for chunk := range todo {
				chunk.fill(&p.budget.codec)
				chunk.done <- struct{}{}
			}
		})
	}
	defer running.Wait()
	defer close(todo)

	rest := p.sheets
	var ahead []*chunk // in the order of the page
	for i := 0; i < window && len(rest) > 0; i++ {
		c := &chunk{done: make(chan struct{}, 1)}
		rest = c.cut(rest)
		ahead = append(ahead, c)
		todo <- c
	}
	for len(ahead) > 0 {
		c := ahead[0]
		ahead = ahead[1:]
		<-c.done
		if c.err == nil {
			_, c.err = w.Write(c.text)
		}
		if c.err != nil {
			return fmt.Errorf("write page as text: %w", c.err)
		}
		if len(rest) > 0 {
			rest = c.cut(rest)
			ahead = append(ahead, c)
			todo <- c
		}
	}
	return nil
}

// cut takes the next sheets and returns the others.
func (c *chunk) cut(sheets []*sheet) []*sheet {
	n, size := 0, 0
	for n < len(sheets) && (n == 0 || size+sheets[n].size() <= chunkBytes) {
		size += sheets[n].size()
		n++
	}
	c.sheets = sheets[:n]
	if cap(c.text) < size {
		c.text = make([]byte, max(size, chunkBytes))
	}
	c.text = c.text[:size]
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
