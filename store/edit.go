package store

import "math/bits"

// The methods here change blocks. Callers hold s.mu. Each method works on one or two buckets.

// target returns the bucket for the next object of a group: the current bucket until it is full,
// else the newest one that accepts objects, else a new one. So objects that come and go share a few
// buckets, and the other buckets stay compressed.
func (s *Store) target(g group) *bucket {
	best := s.current[g]
	if best == nil || !s.inGroup(best, g) || best.freeSlots() == 0 || best.blocks == nil {
		best = nil
		for _, b := range s.buckets {
			if b != nil && s.inGroup(b, g) && (best == nil || b.seq > best.seq) && b.accepts() {
				best = b
			}
		}
	}
	if best == nil {
		best = s.newBucket(g)
	}
	s.current[g] = best
	return best
}

func (s *Store) newBucket(g group) *bucket {
	s.lastSeq++
	b := &bucket{store: s, seq: s.lastSeq, blocks: make([]*block, len(s.families))}
	if n := len(s.freeNumbers); n > 0 {
		b.number, s.freeNumbers = s.freeNumbers[n-1], s.freeNumbers[:n-1]
		s.buckets[b.number] = b
	} else {
		b.number = uint32(len(s.buckets))
		s.buckets = append(s.buckets, b)
	}
	s.setGroup(b, g)
	s.account(b, 1, totals{buckets: 1})
	return b
}

// discard removes a bucket from the store. Snapshots keep its blocks.
func (s *Store) discard(b *bucket) {
	s.account(b, -1, b.totals)
	s.buckets[b.number] = nil
	s.freeNumbers = append(s.freeNumbers, b.number)
	b.used, b.slots, b.blocks = 0, nil, nil
	s.budget.update(b, false)
}

// account adds d to the totals of the bucket and of the store, a number of times.
func (s *Store) account(b *bucket, times int, d totals) {
	b.totals.add(times, d)
	s.totalsOf(b).add(times, d)
}

// changeBlock calls change, which changes the block of a family or replaces it, and updates the
// totals. A block that has lost all text is removed.
func (s *Store) changeBlock(b *bucket, f int, change func()) {
	s.account(b, -1, usage(b.blocks[f]))
	change()
	if blk := b.blocks[f]; blk != nil && blk.size() == 0 {
		b.blocks[f] = nil
	}
	s.account(b, 1, usage(b.blocks[f]))
}

// edit replaces the text of one object in one block.
func (s *Store) edit(b *bucket, f, slot int, text []byte) {
	if s.tryPatch(b, f, 1<<slot, text) {
		return
	}
	s.rewriteBlock(b, f, len(text), func(r *rawText) { r.splice(slot, text) })
}

// rewriteBlock makes a block editable and calls change on its text. change may add up to grow bytes.
func (s *Store) rewriteBlock(b *bucket, f, grow int, change func(r *rawText)) {
	s.changeBlock(b, f, func() { change(s.writableRaw(b, f, grow)) })
}

// writableRaw returns the raw form of a block with capacity for grow more bytes. A frozen or
// compressed block is replaced by a new one.
func (s *Store) writableRaw(b *bucket, f, grow int) *rawText {
	blk := b.blocks[f]
	var r *rawText
	if blk != nil {
		r = blk.raw.Load()
	}
	if r != nil && r.editable(s.epoch) {
		if need := len(r.text) + grow; need > cap(r.text) {
			r.text = append(make([]byte, 0, s.blockCapacity(b, f, need)), r.text...)
		}
		r.sweptAt = 0
		return r
	}
	fresh := &rawText{editState: editState{home: b, family: f, epoch: s.epoch}}
	if blk == nil {
		fresh.text = make([]byte, 0, s.blockCapacity(b, f, grow))
	} else {
		fresh.text = make([]byte, blk.size(), s.blockCapacity(b, f, blk.size()+grow))
		fresh.lens = s.loadText(blk, fresh.text)
	}
	blk = new(block)
	blk.raw.Store(fresh)
	b.blocks[f] = blk
	return fresh
}

// loadText copies the text of a block to dst, whose length is blk.size(), and returns the slot
// lengths.
func (s *Store) loadText(blk *block, dst []byte) slotLens {
	if r := blk.raw.Load(); r != nil {
		copy(dst, r.text)
		return r.lens
	}
	s.counts.Decompressions++
	ct := blk.compressed.Load()
	s.budget.codec.mustDecompress(dst, ct)
	return ct.lens()
}

// blockCapacity returns the capacity to allocate for a block that now needs the given number of
// bytes. While a bucket fills, its blocks get the final size of those of the last full bucket,
// which avoids growing them step by step.
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

// recordSizes stores the block sizes of a full bucket as size hints.
func (s *Store) recordSizes(b *bucket) {
	for f, blk := range b.blocks {
		s.sizeHints[f] = 0
		if blk != nil {
			s.sizeHints[f] = blk.size() + blk.size()/16
		}
	}
}

// remove deletes the objects of the mask from the index and from the bucket.
func (s *Store) remove(b *bucket, mask uint64) {
	for i := range slotsOf(mask) {
		delete(s.index, b.slots[i].id)
		delete(s.expiring, b.slots[i].id)
	}
	s.deleteSlots(b, mask)
}

// deleteSlots removes the slots of the mask with their text. Blocks without text of these slots are
// not touched.
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

// releaseSlots marks the slots of the mask as free. Their text is already removed. A bucket that
// becomes empty is discarded.
func (s *Store) releaseSlots(b *bucket, mask uint64) {
	if b.used&^mask == 0 {
		s.discard(b)
		return
	}
	for i := range slotsOf(mask) {
		b.slots[i] = slot{}
	}
	b.used &^= mask
	s.account(b, -1, totals{objects: bits.OnesCount64(mask)})
	s.budget.update(b, true)
}

// moveObjects moves the objects of the mask to another bucket, which has enough free slots.
func (s *Store) moveObjects(src *bucket, mask uint64, dst *bucket) {
	s.moves++
	var to [slotsPerBucket]int
	for i := range slotsOf(mask) {
		to[i] = dst.allocSlot()
		dst.slots[to[i]] = src.slots[i]
		s.index[src.slots[i].id] = slotRefOf(dst, to[i])
	}
	s.account(dst, 1, totals{objects: bits.OnesCount64(mask)})

	present := src.familiesOf(mask)
	for f := range src.blocks {
		if !present.has(f) {
			continue
		}
		s.rewriteBlock(src, f, 0, func(r *rawText) {
			text := r.text
			for i, n := range r.lens {
				if n > 0 && mask>>i&1 == 1 {
					s.edit(dst, f, to[i], text[:n])
				}
				text = text[n:]
			}
			r.deleteSlots(mask)
		})
	}
	s.budget.update(dst, true)
	s.releaseSlots(src, mask)
}
