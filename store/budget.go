package store

import (
	"container/list"
	"sync"
	"sync/atomic"
)

// defaultRawBytes is the limit of the Budget that New makes when given none.
const defaultRawBytes = 32 << 20

// Budget bounds the memory of the raw pages of all stores that share it. Past
// the limit the least recently written buckets are packed, by whoever wrote
// the page too many. It also owns the flate writers and readers. Safe for
// concurrent use.
type Budget struct {
	codec   *codec
	buffers buffers
	eof     *block // the last line of OpenMetrics

	limit int64
	raw   atomic.Int64 // written under mu

	mu  sync.Mutex
	lru list.List // *bucket with raw pages, least recently written first
}

// listed is the budget's view of a bucket.
type lruEntry struct {
	element *list.Element // nil when not in the list
	raw     int64         // bytes counted for it
}

// NewBudget bounds raw page memory to so many bytes. Too little costs CPU: a
// page then is packed and unpacked for every change. Some 32 MiB hold the pages
// that a few hundred events per second keep busy.
func NewBudget(limit int64) *Budget {
	g := &Budget{limit: limit, codec: newCodec()}
	g.eof = staticBlock([]byte("# EOF\n"), g.codec)
	return g
}

// RawBytes is the memory of all raw pages now.
func (g *Budget) RawBytes() int64 { return g.raw.Load() }

// note takes over what b has raw now; written says that it was changed just
// now. The caller holds the store's mutex.
func (g *Budget) update(b *bucket, written bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l, now := b.lru, b.totals.raw
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

// victim takes the least recently written bucket out of the list when the
// limit is exceeded, else nil. Its bytes count until they are gone.
func (g *Budget) victim() *bucket {
	if g.raw.Load() <= g.limit {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	front := g.lru.Front()
	if front == nil {
		return nil // others are packing the rest
	}
	b, _ := g.lru.Remove(front).(*bucket)
	b.lru.element = nil
	return b
}

// enforce packs buckets until the limit holds. The caller holds no lock.
func (g *Budget) evict() {
	for b := g.victim(); b != nil; b = g.victim() {
		b.store.compressBucket(b, func(*rawText) bool { return true })
	}
}
