package store

import "io"

// gather writes the parts in few large writes: a page of a few kB is not worth a
// system call.
type gather struct {
	w      io.Writer
	memory *[chunkBytes]byte
	filled int
	err    error // the first one
}

func (b *buffers) gather(w io.Writer) *gather { return &gather{w: w, memory: b.take()} }

func (g *gather) write(part []byte) {
	for g.err == nil && len(part) > 0 {
		n := copy(g.memory[g.filled:], part)
		g.filled += n
		part = part[n:]
		if g.filled == chunkBytes {
			g.flush()
		}
	}
}

// fill writes size bytes that a function puts in place.
func (g *gather) fill(size int, fill func(part []byte) error) {
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
		g.err = fill(g.memory[g.filled : g.filled+size])
		g.filled += size
	}
}

func (g *gather) flush() {
	if g.err == nil && g.filled > 0 {
		_, g.err = g.w.Write(g.memory[:g.filled])
		g.filled = 0
	}
}

// release gives the memory back.
func (g *gather) release(b *buffers) {
	b.give(g.memory)
	g.memory = nil
}
