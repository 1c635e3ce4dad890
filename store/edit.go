package store

import (
	"math/bits"
	"slices"
)

// The methods here change pages. All are called with s.mu held, and each works
// on one or two buckets.

// target is the bucket that takes the next object of this part: the current
// one until it is full, else the newest that is open, else a new one. So churn stays in a few
// hot buckets, and settled ones are left alone.
func (s *Store) target(p Partition) *bucket {
	best := s.current[p]
	if best == nil || !s.inPartition(best, p) || best.freeSlots() == 0 || best.blocks == nil {
		best = nil
		for _, b := range s.buckets {
			if b != nil && s.inPartition(b, p) && (best == nil || b.seq > best.seq) && b.accepts() {
				best = b
			}
		}
	}
	if best == nil {
		best = s.newBucket(p)
	}
	s.current[p] = best
	return best
}

func (s *Store) newBucket(p Partition) *bucket {
	s.lastSeq++
	b := &bucket{store: s, seq: s.lastSeq, blocks: make([]*block, len(s.families)), lru: new(lruEntry)}
	if n := len(s.freeNumbers); n > 0 {
		b.number, s.freeNumbers = s.freeNumbers[n-1], s.freeNumbers[:n-1]
		s.buckets[b.number] = b
	} else {
		b.number = uint32(len(s.buckets))
		s.buckets = append(s.buckets, b)
	}
	s.setPartition(b, p)
	s.account(b, totals{buckets: 1})
	return b
}

// discard takes a bucket off the table. Collected pages keep its sheets.
func (s *Store) discard(b *bucket) {
	s.account(b, b.totals.negated())
	s.buckets[b.number] = nil
	s.freeNumbers = append(s.freeNumbers, b.number)
	b.used, b.slots, b.blocks = 0, nil, nil
	s.budget.update(b, false)
}

func (s *Store) account(b *bucket, d totals) {
	b.totals.add(d)
	s.totalsOf(b).add(d)
}

// edit replaces the text of one object in one page.
func (s *Store) edit(b *bucket, f, slot int, text []byte) {
	if s.tryPatch(b, f, 1<<slot, text) {
		return
	}
	s.rewriteBlock(b, f, len(text), func(r *rawText) { r.splice(slot, text) })
}

// rewrite opens a page, lets change rework its text, which may grow by so many
// bytes, and keeps the totals.
func (s *Store) rewriteBlock(b *bucket, f, grow int, change func(r *rawText)) {
	before := usage(b.blocks[f])
	r := s.writableRaw(b, f, grow)
	change(r)
	if len(r.text) == 0 {
		b.blocks[f] = nil
	}
	s.account(b, before.negated())
	s.account(b, usage(b.blocks[f]))
}

// writable is the raw form of a page with room to grow: the one it has, when
// nobody else can see it, else a copy in a new sheet.
func (s *Store) writableRaw(b *bucket, f, grow int) *rawText {
	blk := b.blocks[f]
	var r *rawText
	if blk != nil {
		r = blk.raw.Load()
	}
	if r != nil && r.epoch == s.epoch && !r.frozen {
		if need := len(r.text) + grow; need > cap(r.text) {
			r.text = append(make([]byte, 0, s.blockCapacity(b, f, need)), r.text...)
		}
		r.quietSince = 0
		return r
	}
	fresh := &rawText{home: b, family: f, epoch: s.epoch}
	if blk == nil {
		fresh.text = make([]byte, 0, s.blockCapacity(b, f, grow))
		fresh.lens = make([]uint32, 0, slotsPerBucket)
	} else {
		text := make([]byte, blk.size(), s.blockCapacity(b, f, blk.size()+grow))
		fresh.text, fresh.lens = s.loadText(blk, text)
	}
	blk = new(block)
	blk.raw.Store(fresh)
	b.blocks[f] = blk
	return fresh
}

// load copies the text of a sheet to dst, which has its size, and the lengths.
func (s *Store) loadText(blk *block, dst []byte) ([]byte, []uint32) {
	if r := blk.raw.Load(); r != nil {
		copy(dst, r.text)
		return dst, slices.Clone(r.lens)
	}
	s.counts.Decompressions++
	ct := blk.compressed.Load()
	if err := s.budget.codec.decompress(dst, ct); err != nil {
		panic("store: memory corrupted: " + err.Error()) //nolint:forbidigo // we deflated it ourselves; nothing that is held can be trusted
	}
	return dst, ct.lens()
}

// capacity is what to allocate for a page that needs so many bytes now. A
// bucket that still fills gets at once what the last one came to need.
func (s *Store) blockCapacity(b *bucket, f, need int) int {
	switch hint := s.sizeHints[f]; {
	case b.count() == slotsPerBucket:
		return need
	case need <= hint:
		return hint
	case hint > 0:
		return need + need/4
	}
	return need * 2
}

// learn remembers how large the pages of a full bucket are.
func (s *Store) recordSizes(b *bucket) {
	for f, blk := range b.blocks {
		s.sizeHints[f] = 0
		if blk != nil {
			s.sizeHints[f] = blk.size() + blk.size()/16
		}
	}
}

// remove forgets the objects of the mask.
func (s *Store) remove(b *bucket, mask uint64) {
	for i := range slotsOf(mask) {
		delete(s.index, b.slots[i].id)
		delete(s.expiring, b.slots[i].id)
	}
	s.deleteSlots(b, mask)
}

// cut takes the slots of the mask out of a bucket. Pages they have no text in
// stay closed.
func (s *Store) deleteSlots(b *bucket, mask uint64) {
	if b.used&^mask != 0 {
		present := b.familiesOf(mask)
		for f := range b.blocks {
			if present.has(f) && !s.tryPatch(b, f, mask, nil) {
				s.rewriteBlock(b, f, 0, func(r *rawText) { r.deleteSlots(mask) })
			}
		}
	}
	s.releaseSlots(b, mask)
}

// release frees the slots of the mask, whose text is gone from the pages, or
// the bucket when nothing else is in it.
func (s *Store) releaseSlots(b *bucket, mask uint64) {
	if b.used&^mask == 0 {
		s.discard(b)
		return
	}
	for i := range slotsOf(mask) {
		b.slots[i] = slot{}
	}
	b.used &^= mask
	s.account(b, totals{objects: -bits.OnesCount64(mask)})
	s.budget.update(b, true)
}

// move takes the objects of the mask from one bucket to another with enough
// room.
func (s *Store) moveObjects(src *bucket, mask uint64, dst *bucket) {
	var to [slotsPerBucket]int
	for i := range slotsOf(mask) {
		to[i] = dst.allocSlot()
		dst.slots[to[i]] = src.slots[i]
		s.index[src.slots[i].id] = slotRefOf(dst, to[i])
	}
	s.account(dst, totals{objects: bits.OnesCount64(mask)})

	all, present := src.used&^mask == 0, src.familiesOf(mask)
	for f, blk := range src.blocks {
		copySlots := func(text []byte, lens []uint32) {
			for i, n := range lens {
				if n > 0 && mask>>i&1 == 1 {
					s.edit(dst, f, to[i], text[:n])
				}
				text = text[n:]
			}
		}
		switch {
		case !present.has(f):
		case all: // src is about to go: leave its page alone
			copySlots(s.loadText(blk, make([]byte, blk.size())))
		default:
			s.rewriteBlock(src, f, 0, func(r *rawText) { copySlots(r.text, r.lens); r.deleteSlots(mask) })
		}
	}
	s.budget.update(dst, true)
	s.releaseSlots(src, mask)
}
