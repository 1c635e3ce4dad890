package store

import (
	"container/list"
	"sync"
	"sync/atomic"
)

// defaultRawBytes is the limit of a budget that New creates.
const defaultRawBytes = 32 << 20

// Budget limits the memory of raw blocks over all stores that share it. Above the limit, the
// goroutine whose write exceeded it compresses the least recently written buckets. The budget also
// owns the pools of compressors, decompressors and writers. Safe for concurrent use.
type Budget struct {
	codec   *codec
	writers sync.Pool // of *bufio.Writer
	eof     *block    // last line of the OpenMetrics format

	limit int64
	raw   atomic.Int64 // written under mu

	mu  sync.Mutex
	lru list.List // of *bucket with raw blocks, least recently written first
}

// lruEntry is a bucket's entry in the budget.
type lruEntry struct {
	element *list.Element // nil when not in the list
	raw     int64         // bytes that Budget.raw includes for the bucket
}

// NewBudget limits the memory of raw blocks to the given number of bytes. If the limit is too
// small, blocks are compressed and decompressed for every change. 32 MiB hold the blocks that a few
// hundred events per second change.
func NewBudget(limit int64) *Budget {
	g := &Budget{limit: limit, codec: newCodec()}
	g.eof = staticBlock([]byte("# EOF\n"), g.codec)
	return g
}

// RawBytes is the current memory of all raw blocks.
func (g *Budget) RawBytes() int64 { return g.raw.Load() }

// update takes over b's current raw bytes. written means that b was just changed. The caller holds
// the store's mutex.
func (g *Budget) update(b *bucket, written bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l, now := &b.lru, b.totals.raw
	if b.store.abandoned {
		now = 0
	}
	g.raw.Add(now - l.raw)
	l.raw = now
	switch {
	case now == 0 && l.element != nil:
		g.lru.Remove(l.element)
		l.element = nil
	case now > 0 && l.element == nil && written:
		l.element = g.lru.PushBack(b)
	case now > 0 && written:
		g.lru.MoveToBack(l.element)
	}
}

// Abandon makes the Budget forget the store: its raw text neither counts nor is compressed any more.
// It is called for a store that takes no more objects. Snapshots of it stay valid.
func (s *Store) Abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abandoned = true
	for _, b := range s.buckets {
		if b != nil {
			s.budget.update(b, false)
		}
	}
}

// victim removes the least recently written bucket from the list and returns it if the limit is
// exceeded, else nil. The bucket's bytes count until they are freed.
func (g *Budget) victim() *bucket {
	if g.raw.Load() <= g.limit {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	front := g.lru.Front()
	if front == nil {
		return nil // other goroutines are compressing the rest
	}
	b, _ := g.lru.Remove(front).(*bucket)
	b.lru.element = nil
	return b
}

// evict compresses buckets until memory is within the limit. The caller holds no lock.
func (g *Budget) evict() {
	for b := g.victim(); b != nil; b = g.victim() {
		b.store.compressBucket(b, (*block).isRaw)
	}
}
