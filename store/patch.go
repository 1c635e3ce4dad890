package store

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"sync"
	"time"
)

// maxPatches is how many slots of a packed page may differ from what was packed
// before it is worth to open the page.
const maxPatches = 32

// patch is what has changed in a packed page since it was packed. A single
// change of a page that is quiet otherwise costs the text of one object, not
// the inflating of sixty-four; a scrape packs all changes of a page together.
// Immutable, but for packing.
type patch struct {
	home   *bucket // where the page belongs, to publish it packed
	family int
	texts  []patchText   // by slot, without duplicates
	base   uint32        // bytes of the text that was packed
	bytes  int           // memory of texts
	seen   time.Duration // age of the store at the first sweep after the first change, 0 before that; guarded by its mutex

	packing sync.Mutex // held while the text is packed, so that it is packed once
}

type patchText struct {
	slot int
	text []byte // ours
}

// patched is p with the text of some slots replaced: of those that the mask
// names by text, which is not kept. It is nil when too many slots differ.
func (p *packed) patched(b *bucket, f int, mask uint64, text []byte) *packed {
	changed := uint32(bits.OnesCount64(mask))
	next := &struct { // one allocation for both
		packed
		over patch
	}{packed: *p, over: patch{home: b, family: f, base: p.size}}
	next.patch = &next.over
	next.size += changed*uint32(len(text)) - p.length(mask)
	var texts []patchText
	if p.patch != nil {
		next.over.base, next.over.seen, texts = p.patch.base, p.patch.seen, p.patch.texts
	}
	all := make([]patchText, 0, len(texts)+int(changed))
	for _, t := range texts {
		if mask>>t.slot&1 == 0 {
			all = append(all, t)
			next.over.bytes += len(t.text)
		}
	}
	if len(all)+int(changed) > maxPatches {
		return nil
	}
	for i := range slotsOf(mask) {
		all = append(all, patchText{i, slices.Clone(text)})
		next.over.bytes += len(text)
	}
	next.over.texts = all
	return &next.packed
}

// length is how many bytes of text the slots of the mask have together.
func (p *packed) length(mask uint64) (sum uint32) {
	if p.patch != nil {
		for _, t := range p.patch.texts {
			if mask>>t.slot&1 == 1 {
				sum += uint32(len(t.text))
				mask &^= 1 << t.slot
			}
		}
	}
	lens := p.buf[p.deflated:]
	for next := 0; mask != 0; mask &= mask - 1 {
		slot := bits.TrailingZeros64(mask)
		lens = skipLens(lens, slot-next)
		n, width := binary.Uvarint(lens)
		sum += uint32(n)
		lens, next = lens[max(width, 0):], slot+1
	}
	return sum
}

// amend changes a packed page without opening it. It reports whether that was
// possible. The caller holds s.mu.
func (s *Store) amend(b *bucket, f int, mask uint64, text []byte) bool {
	sh := b.pages[f]
	if sh == nil || sh.raw.Load() != nil {
		return false
	}
	p := sh.packed.Load().patched(b, f, mask, text)
	if p == nil {
		return false
	}
	s.account(b, weigh(sh).negative())
	b.pages[f] = nil
	if p.size > 0 {
		b.pages[f] = new(sheet)
		b.pages[f].packed.Store(p)
	}
	s.account(b, weigh(b.pages[f]))
	return true
}

// lensOver are the lengths of the slots, given those of what was packed.
func (t *patch) lensOver(lens []uint32) []uint32 {
	for _, one := range t.texts {
		if one.slot >= len(lens) {
			lens = append(lens, make([]uint32, one.slot+1-len(lens))...)
		}
		lens[one.slot] = uint32(len(one.text))
	}
	return lens
}

// apply writes the text to dst, given what was packed and the lengths of its slots.
func (t *patch) apply(dst, base []byte, lens []uint32) {
	var texts [slotsPerBucket]*patchText
	for i := range t.texts {
		texts[t.texts[i].slot] = &t.texts[i]
	}
	for i := range slotsPerBucket {
		var old []byte
		if i < len(lens) {
			old, base = base[:lens[i]], base[lens[i]:]
		}
		if texts[i] != nil {
			old = texts[i].text
		}
		dst = dst[copy(dst, old):]
	}
}

// merge packs the sheet's page with its changes and returns it.
func (t *patch) merge(sh *sheet) *packed {
	t.packing.Lock()
	defer t.packing.Unlock()
	p := sh.packed.Load()
	if p.patch == nil {
		return p
	}
	s := t.home.store
	text := s.budget.codec.scratch(int(p.size))
	defer s.budget.codec.texts.Put(text)
	if err := s.budget.codec.inflate(*text, p); err != nil {
		panic("store: memory corrupted: " + err.Error()) //nolint:forbidigo // as in load
	}
	q := s.budget.codec.deflate(*text, p.lens(), false)
	s.publish(t.home, t.family, sh, q)
	return q
}
