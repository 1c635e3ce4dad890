package store

import (
	"io"
	"sync"
)

// chunkBytes is how many bytes of an exposition are assembled before they are written.
const chunkBytes = 64 << 10

// chunkPool holds the memory of scrapes in progress. A scrape keeps one chunk while it waits for
// its client. The zero value is ready for use. Safe for concurrent use.
type chunkPool struct{ chunks sync.Pool }

func (pool *chunkPool) get() *[chunkBytes]byte {
	chunk, _ := pool.chunks.Get().(*[chunkBytes]byte)
	if chunk == nil {
		chunk = new([chunkBytes]byte)
	}
	return chunk
}

func (pool *chunkPool) put(chunk *[chunkBytes]byte) { pool.chunks.Put(chunk) }

// bufferedWriter combines small writes, because most blocks are too small for a system call of
// their own.
type bufferedWriter struct {
	w      io.Writer
	chunk  *[chunkBytes]byte
	filled int
	err    error // the first one
}

func (pool *chunkPool) newWriter(w io.Writer) *bufferedWriter {
	return &bufferedWriter{w: w, chunk: pool.get()}
}

func (g *bufferedWriter) write(part []byte) {
	for g.err == nil && len(part) > 0 {
		n := copy(g.chunk[g.filled:], part)
		g.filled += n
		part = part[n:]
		if g.filled == chunkBytes {
			g.flush()
		}
	}
}

// fill writes size bytes, which the given function produces.
func (g *bufferedWriter) fill(size int, fill func(part []byte) error) {
	if size > chunkBytes {
		part := make([]byte, size) // rare, so not pooled
		if g.err == nil {
			g.err = fill(part)
		}
		g.write(part)
		return
	}
	if g.filled+size > chunkBytes {
		g.flush()
	}
	if g.err == nil {
		g.err = fill(g.chunk[g.filled : g.filled+size])
		g.filled += size
	}
}

func (g *bufferedWriter) flush() {
	if g.err == nil && g.filled > 0 {
		_, g.err = g.w.Write(g.chunk[:g.filled])
		g.filled = 0
	}
}

// release returns the chunk to the pool.
func (g *bufferedWriter) release(pool *chunkPool) {
	pool.put(g.chunk)
	g.chunk = nil
}
