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
	budget := &Budget{limit: limit, codec: newCodec()}
	budget.eof = staticBlock([]byte("# EOF\n"), budget.codec)
	return budget
}

// RawBytes is the current memory of all raw blocks.
func (budget *Budget) RawBytes() int64 { return budget.raw.Load() }

// update takes over b's current raw bytes. written means that b was just changed. The caller holds
// the store's mutex.
func (budget *Budget) update(b *bucket, written bool) {
	budget.mu.Lock()
	defer budget.mu.Unlock()
	l, now := &b.lru, b.totals.raw
	if b.store.abandoned {
		now = 0
	}
	budget.raw.Add(now - l.raw)
	l.raw = now
	switch {
	case now == 0 && l.element != nil:
		budget.lru.Remove(l.element)
		l.element = nil
	case now > 0 && l.element == nil && written:
		l.element = budget.lru.PushBack(b)
	case now > 0 && written:
		budget.lru.MoveToBack(l.element)
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
func (budget *Budget) victim() *bucket {
	if budget.raw.Load() <= budget.limit {
		return nil
	}
	budget.mu.Lock()
	defer budget.mu.Unlock()
	front := budget.lru.Front()
	if front == nil {
		return nil // other goroutines are compressing the rest
	}
	b, _ := budget.lru.Remove(front).(*bucket)
	b.lru.element = nil
	return b
}

// evict compresses buckets until memory is within the limit. The caller holds no lock.
func (budget *Budget) evict() {
	for b := budget.victim(); b != nil; b = budget.victim() {
		b.store.compressBucket(b, (*block).isRaw)
	}
}
