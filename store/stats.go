package store

// Stats describes a store at one moment.
type Stats struct {
	Objects int // shown
	Hidden  int // held, not shown
	Buckets int

	Pages       int // with text
	RawPages    int // of them with raw text; some have both forms
	PackedPages int // of them with deflated text

	TextBytes   int64 // text of the objects shown, without headers
	HeldBytes   int64 // text of all objects, shown or not
	RawBytes    int64 // memory of raw pages, counted by the Budget
	PackedBytes int64 // memory of packed pages

	Packs     uint64 // pages deflated
	Unpacks   uint64 // pages inflated to be changed
	Changed   uint64 // Puts that changed text
	Unchanged uint64 // Puts that changed none
	Older     uint64 // Puts ignored because a newer version was held
}

// totals are the running sums behind Stats, per bucket, and of what is shown and hidden.
type totals struct {
	objects, buckets, pages, rawPages, packedPages int

	patched int // packed pages with changes on top

	text, raw, packed int64
}

func (t *totals) add(d totals) {
	t.objects += d.objects
	t.buckets += d.buckets
	t.pages += d.pages
	t.rawPages += d.rawPages
	t.packedPages += d.packedPages
	t.patched += d.patched
	t.text += d.text
	t.raw += d.raw
	t.packed += d.packed
}

func (t totals) negative() totals {
	var n totals
	n.objects, n.buckets = -t.objects, -t.buckets
	n.pages, n.rawPages, n.packedPages = -t.pages, -t.rawPages, -t.packedPages
	n.patched = -t.patched
	n.text, n.raw, n.packed = -t.text, -t.raw, -t.packed
	return n
}

// weigh is what a page adds to the totals.
func weigh(sh *sheet) (t totals) {
	if sh == nil {
		return t
	}
	t.pages, t.text = 1, int64(sh.size())
	if r := sh.raw.Load(); r != nil {
		t.rawPages, t.raw = 1, int64(cap(r.text))
	}
	if p := sh.packed.Load(); p != nil {
		t.packedPages, t.packed = 1, int64(p.memory())
		if p.patch != nil {
			t.patched = 1
		}
	}
	return t
}

// totalsOf is where the totals of a bucket belong.
func (s *Store) totalsOf(b *bucket) *totals {
	if b.shown {
		return &s.shownTotals
	}
	return &s.hiddenTotals
}

// Stats reads running totals: it costs the same whatever the store holds.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.shownTotals
	all.add(s.hiddenTotals)
	st := s.counts
	st.Objects, st.Hidden = s.shownTotals.objects, s.hiddenTotals.objects
	st.Buckets, st.Pages, st.RawPages, st.PackedPages = all.buckets, all.pages, all.rawPages, all.packedPages
	st.TextBytes, st.HeldBytes = s.shownTotals.text, all.text
	st.RawBytes, st.PackedBytes = all.raw, all.packed
	return st
}
