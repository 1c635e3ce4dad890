package store

import (
	"io"
	"sync"
)

// writeBytes is how much is gathered for one write: a page of a few kB is not
// worth a system call.
const writeBytes = 128 << 10

// gather writes the parts in few large writes.
type gather struct {
	w      io.Writer
	memory *[writeBytes]byte // from the pool
	filled int
	err    error // of the first write that failed
}

// buffers is a pool of the memory of gathers.
type buffers struct{ pool sync.Pool }

func (b *buffers) gather(w io.Writer) *gather {
	memory, _ := b.pool.Get().(*[writeBytes]byte)
	if memory == nil {
		memory = new([writeBytes]byte)
	}
	return &gather{w: w, memory: memory}
}

func (g *gather) write(part []byte) {
	for g.err == nil && len(part) > 0 {
		n := copy(g.memory[g.filled:], part)
		g.filled += n
		part = part[n:]
		if g.filled == writeBytes {
			g.flush()
		}
	}
}

func (g *gather) flush() {
	if g.err == nil && g.filled > 0 {
		_, g.err = g.w.Write(g.memory[:g.filled])
		g.filled = 0
	}
}

// release gives the memory back to the pool.
func (g *gather) release(b *buffers) {
	b.pool.Put(g.memory)
	g.memory = nil
}
