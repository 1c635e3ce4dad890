package store

import (
	"sync"
	"sync/atomic"
)

const (
	// chunkBytes is how much of a page is made and written at a time.
	chunkBytes = 64 << 10
	// maxAhead is how many chunks all scrapes together have ready before the network
	// takes them. It is enough for two to keep four CPUs busy.
	maxAhead = 14
)

// buffers is the memory of scrapes in progress. Each has one chunk, which it writes
// from and keeps for as long as its client does not read. More of them, to inflate
// while it writes, are there for a few scrapes only: the others go one chunk at a time,
// so that many clients do not take many times the memory of one. The zero value is
// ready; safe for concurrent use.
type buffers struct {
	pool  sync.Pool
	ahead atomic.Int64 // chunks reserved beyond the first of each scrape
}

func (b *buffers) take() *[chunkBytes]byte {
	memory, _ := b.pool.Get().(*[chunkBytes]byte)
	if memory == nil {
		memory = new([chunkBytes]byte)
	}
	return memory
}

func (b *buffers) give(memory *[chunkBytes]byte) { b.pool.Put(memory) }

// reserve returns how many chunks of those that are wanted a scrape may have beyond its
// first, maybe none. It gives them back with unreserve.
func (b *buffers) reserve(want int) int {
	for {
		used := b.ahead.Load()
		n := min(int64(want), maxAhead-used)
		if b.ahead.CompareAndSwap(used, used+n) {
			return int(n)
		}
	}
}

func (b *buffers) unreserve(n int) { b.ahead.Add(-int64(n)) }
