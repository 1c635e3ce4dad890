package store

// Deflating takes longer than anything else here, so it is done without the
// store's mutex, on sheets that were made final before.

// pack gives the sheet its packed form and returns it. The sheet is final. The
// raw form stays.
func (blk *block) compress() *compressedText {
	r := blk.raw.Load() // before packed: it is nil only after packed was set
	switch ct := blk.compressed.Load(); {
	case ct != nil && ct.patch != nil:
		return ct.patch.recompress(blk)
	case ct != nil:
		return ct
	}
	r.compressMu.Lock()
	defer r.compressMu.Unlock()
	if ct := blk.compressed.Load(); ct != nil {
		return ct
	}
	s := r.home.store
	ct := s.budget.codec.compress(r.text, r.lens)
	s.setCompressed(r.home, r.family, blk, ct)
	return ct
}

// publish sets the packed form of a sheet of page f of b; the page may have
// moved on to another sheet meanwhile.
func (s *Store) setCompressed(b *bucket, f int, blk *block, ct *compressedText) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Compressions++
	if !b.holds(f, blk) {
		blk.compressed.Store(ct)
		return
	}
	s.account(b, usage(blk).negated())
	blk.compressed.Store(ct)
	s.account(b, usage(blk))
}

// shows says whether sh is page f of the bucket.
func (b *bucket) holds(f int, blk *block) bool { return f < len(b.blocks) && b.blocks[f] == blk }

// packBucket packs the pages of b that pick chooses among those with a raw
// form, and drops that form. The caller holds no lock.
func (s *Store) compressBucket(b *bucket, pick func(r *rawText) bool) {
	s.mu.Lock()
	picked := make([]*block, len(b.blocks))
	for f, blk := range b.blocks {
		if blk == nil {
			continue
		}
		if r := blk.raw.Load(); r != nil && pick(r) {
			r.frozen = true
			picked[f] = blk
		}
	}
	s.mu.Unlock()

	for _, blk := range picked {
		if blk != nil {
			blk.compress()
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	for f, blk := range picked {
		if blk != nil && b.holds(f, blk) {
			s.account(b, usage(blk).negated())
			blk.raw.Store(nil)
			s.account(b, usage(blk))
		}
	}
	s.budget.update(b, false)
}
