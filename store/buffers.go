package store

import "sync"

// chunkBytes is how much of a page is made and written at a time.
const chunkBytes = 64 << 10

// buffers is the memory of scrapes in progress. Each keeps one chunk for as long as its client
// does not read. The zero value is ready; safe for concurrent use.
type buffers struct{ pool sync.Pool }

func (b *buffers) take() *[chunkBytes]byte {
	memory, _ := b.pool.Get().(*[chunkBytes]byte)
	if memory == nil {
		memory = new([chunkBytes]byte)
	}
	return memory
}

func (b *buffers) give(memory *[chunkBytes]byte) { b.pool.Put(memory) }
