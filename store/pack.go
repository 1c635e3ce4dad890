package store

// Deflating takes longer than anything else here, so it is done without the
// store's mutex, on sheets that were made final before.

// pack gives the sheet its packed form and returns it. The sheet is final. The
// raw form stays.
func (sh *sheet) pack() *packed {
	r := sh.raw.Load() // before packed: it is nil only after packed was set
	switch p := sh.packed.Load(); {
	case p != nil && p.patch != nil:
		return p.patch.merge(sh)
	case p != nil:
		return p
	}
	r.packing.Lock()
	defer r.packing.Unlock()
	if p := sh.packed.Load(); p != nil {
		return p
	}
	s := r.home.store
	p := s.budget.codec.deflate(r.text, r.lens)
	s.publish(r.home, r.family, sh, p)
	return p
}

// publish sets the packed form of a sheet of page f of b; the page may have
// moved on to another sheet meanwhile.
func (s *Store) publish(b *bucket, f int, sh *sheet, p *packed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Packs++
	if !b.shows(f, sh) {
		sh.packed.Store(p)
		return
	}
	s.account(b, weigh(sh).negative())
	sh.packed.Store(p)
	s.account(b, weigh(sh))
}

// shows says whether sh is page f of the bucket.
func (b *bucket) shows(f int, sh *sheet) bool { return f < len(b.pages) && b.pages[f] == sh }

// packBucket packs the pages of b that pick chooses among those with a raw
// form, and drops that form. The caller holds no lock.
func (s *Store) packBucket(b *bucket, pick func(r *raw) bool) {
	s.mu.Lock()
	picked := make([]*sheet, len(b.pages))
	for f, sh := range b.pages {
		if sh == nil {
			continue
		}
		if r := sh.raw.Load(); r != nil && pick(r) {
			r.frozen = true
			picked[f] = sh
		}
	}
	s.mu.Unlock()

	for _, sh := range picked {
		if sh != nil {
			sh.pack()
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	for f, sh := range picked {
		if sh != nil && b.shows(f, sh) {
			s.account(b, weigh(sh).negative())
			sh.raw.Store(nil)
			s.account(b, weigh(sh))
		}
	}
	s.budget.note(b, false)
}
