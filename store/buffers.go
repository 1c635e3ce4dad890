package store

import "sync"

// chunkBytes is how much of a page is made and written at a time.
const chunkBytes = 64 << 10

// buffers is the memory of scrapes in progress. Each keeps one chunk for as long as its client
// does not read. The zero value is ready; safe for concurrent use.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *[chunkBytes]byte {
	chunk, _ := b.pool.Get().(*[chunkBytes]byte)
	if chunk == nil {
		chunk = new([chunkBytes]byte)
	}
	return chunk
}

func (b *buffers) put(chunk *[chunkBytes]byte) { b.pool.Put(chunk) }
