package store

import (
	"bufio"
	"io"
)

// chunkBytes is how many bytes of an exposition are assembled before they are written, because most
// blocks are too small for a system call of their own.
const chunkBytes = 64 << 10

// newWriter returns a pooled writer with a buffer of one chunk. A scrape keeps it while it waits for
// its client.
func (budget *Budget) newWriter(w io.Writer) *bufio.Writer {
	out, _ := budget.writers.Get().(*bufio.Writer)
	if out == nil {
		out = bufio.NewWriterSize(nil, chunkBytes)
	}
	out.Reset(w)
	return out
}

// releaseWriter returns the writer to the pool.
func (budget *Budget) releaseWriter(out *bufio.Writer) {
	out.Reset(nil)
	budget.writers.Put(out)
}
