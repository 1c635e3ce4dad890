package store

import "io"

// gather writes the parts in few large writes: a page of a few kB is not worth a
// system call.
type bufferedWriter struct {
	w      io.Writer
	chunk  *[chunkBytes]byte
	filled int
	err    error // the first one
}

func (b *buffers) newWriter(w io.Writer) *bufferedWriter {
	return &bufferedWriter{w: w, chunk: b.get()}
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

// fill writes size bytes that a function puts in place.
func (g *bufferedWriter) fill(size int, fill func(part []byte) error) {
	if size > chunkBytes {
		part := make([]byte, size) // rare, so not kept
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

// release gives the memory back.
func (g *bufferedWriter) release(b *buffers) {
	b.put(g.chunk)
	g.chunk = nil
}
