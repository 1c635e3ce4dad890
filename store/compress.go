package store

// Compression takes longer than every other operation here. It therefore runs without the store's
// mutex, on frozen blocks.

// compress returns the compressed form of a frozen block and creates it if necessary. A patch is
// merged. The raw form stays.
func (blk *block) compress() *compressedText {
	e := blk.editState() // loads raw first: it becomes nil only after compressed is set
	ct := blk.compressed.Load()
	if ct != nil && ct.patch == nil {
		return ct
	}
	e.compressMu.Lock()
	defer e.compressMu.Unlock()
	if ct = blk.compressed.Load(); ct != nil && ct.patch == nil {
		return ct
	}
	s := e.home.store
	if ct == nil {
		r := blk.raw.Load()
		ct = s.budget.codec.compress(r.text, &r.lens)
	} else {
		ct = s.budget.codec.recompress(ct)
	}
	s.setCompressed(e, blk, ct)
	return ct
}

// setCompressed sets the compressed form of a block whose raw text or patch has the state e. An edit
// may have replaced the block in its bucket meanwhile.
func (s *Store) setCompressed(e *editState, blk *block, ct *compressedText) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Compressions++
	if e.home.holds(e.family, blk) {
		s.changeBlock(e.home, e.family, func() { blk.compressed.Store(ct) })
	} else {
		blk.compressed.Store(ct)
	}
}

// holds reports whether blk is still the block of family f.
func (b *bucket) holds(f int, blk *block) bool { return f < len(b.blocks) && b.blocks[f] == blk }

// compressBucket compresses the blocks of b that pick selects, and drops their raw forms. The caller
// holds no lock.
func (s *Store) compressBucket(b *bucket, pick func(blk *block) bool) {
	s.mu.Lock()
	var picked []*block
	for _, blk := range b.blocks {
		if blk != nil && pick(blk) {
			blk.freeze()
			picked = append(picked, blk)
		}
	}
	s.mu.Unlock()

	for _, blk := range picked {
		blk.compress()
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	for _, blk := range picked {
		if r := blk.raw.Load(); r != nil && b.holds(r.family, blk) {
			s.changeBlock(b, r.family, func() { blk.raw.Store(nil) })
		}
	}
	s.budget.update(b, false)
}
