package store

// Stats describes a store at one moment.
type Stats struct {
	Objects       int // shown
	HiddenObjects int // held, not shown
	Buckets       int

	Blocks           int // with text
	RawBlocks        int // of them with raw text; some have both forms
	CompressedBlocks int // of them with deflated text

	TextBytes       int64 // text of the objects shown, without headers
	HeldTextBytes   int64 // text of all objects, shown or not
	RawBytes        int64 // memory of raw pages, counted by the Budget
	CompressedBytes int64 // memory of packed pages

	Compressions   uint64 // pages deflated
	Decompressions uint64 // pages inflated to be changed
	Changed        uint64 // Puts that changed text
	Unchanged      uint64 // Puts that changed none
	Stale          uint64 // Puts ignored because a newer version was held
}

// totals are the running sums behind Stats, per bucket, and of what is shown and hidden.
type totals struct {
	objects, buckets, blocks, rawBlocks, compressedBlocks int

	patched int // packed pages with changes on top

	text, raw, compressed int64
}

func (t *totals) add(d totals) {
	t.objects += d.objects
	t.buckets += d.buckets
	t.blocks += d.blocks
	t.rawBlocks += d.rawBlocks
	t.compressedBlocks += d.compressedBlocks
	t.patched += d.patched
	t.text += d.text
	t.raw += d.raw
	t.compressed += d.compressed
}

func (t totals) negated() totals {
	var n totals
	n.objects, n.buckets = -t.objects, -t.buckets
	n.blocks, n.rawBlocks, n.compressedBlocks = -t.blocks, -t.rawBlocks, -t.compressedBlocks
	n.patched = -t.patched
	n.text, n.raw, n.compressed = -t.text, -t.raw, -t.compressed
	return n
}

// weigh is what a page adds to the totals.
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

// totalsOf is where the totals of a bucket belong.
func (s *Store) totalsOf(b *bucket) *totals {
	if b.visible {
		return &s.visibleTotals
	}
	return &s.hiddenTotals
}

// Stats reads running totals: it costs the same whatever the store holds.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.visibleTotals
	all.add(s.hiddenTotals)
	st := s.counts
	st.Objects, st.HiddenObjects = s.visibleTotals.objects, s.hiddenTotals.objects
	st.Buckets, st.Blocks, st.RawBlocks, st.CompressedBlocks = all.buckets, all.blocks, all.rawBlocks, all.compressedBlocks
	st.TextBytes, st.HeldTextBytes = s.visibleTotals.text, all.text
	st.RawBytes, st.CompressedBytes = all.raw, all.compressed
	return st
}
