package store

// Stats describes a store at one moment.
type Stats struct {
	Objects       int // visible
	HiddenObjects int // held but not visible
	Buckets       int

	Blocks           int // blocks with text
	RawBlocks        int // with a raw form; some have both forms
	CompressedBlocks int // with a compressed form

	TextBytes       int64 // text of the visible objects, without headers
	HeldTextBytes   int64 // text of all objects
	RawBytes        int64 // memory of raw text, limited by the Budget
	CompressedBytes int64 // memory of compressed text

	Compressions   uint64 // blocks compressed
	Decompressions uint64 // blocks decompressed for a change
}

// totals are the sums behind Stats. The store keeps them per bucket, for visible buckets and for
// hidden ones.
type totals struct {
	objects, buckets, blocks, rawBlocks, compressedBlocks int

	patched int // compressed blocks with a patch

	text, raw, compressed int64
}

// add adds d a number of times; -1 subtracts it.
func (t *totals) add(times int, d totals) {
	t.objects += times * d.objects
	t.buckets += times * d.buckets
	t.blocks += times * d.blocks
	t.rawBlocks += times * d.rawBlocks
	t.compressedBlocks += times * d.compressedBlocks
	t.patched += times * d.patched
	t.text += int64(times) * d.text
	t.raw += int64(times) * d.raw
	t.compressed += int64(times) * d.compressed
}

// usage is what a block adds to the totals.
func usage(blk *block) (t totals) {
	if blk == nil {
		return t
	}
	t.blocks, t.text = 1, int64(blk.size())
	if r := blk.raw.Load(); r != nil {
		t.rawBlocks, t.raw = 1, int64(cap(r.text))
	}
	if ct := blk.compressed.Load(); ct != nil {
		t.compressedBlocks, t.compressed = 1, int64(ct.memory())
		if ct.patch != nil {
			t.patched = 1
		}
	}
	return t
}

// totalsOf returns the totals that include the bucket.
func (s *Store) totalsOf(b *bucket) *totals {
	if b.visible {
		return &s.visibleTotals
	}
	return &s.hiddenTotals
}

// Stats returns the running totals. Its cost does not depend on the number of objects.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.visibleTotals
	all.add(1, s.hiddenTotals)
	st := s.counts
	st.Objects, st.HiddenObjects = s.visibleTotals.objects, s.hiddenTotals.objects
	st.Buckets, st.Blocks = all.buckets, all.blocks
	st.RawBlocks, st.CompressedBlocks = all.rawBlocks, all.compressedBlocks
	st.TextBytes, st.HeldTextBytes = s.visibleTotals.text, all.text
	st.RawBytes, st.CompressedBytes = all.raw, all.compressed
	return st
}
