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
// Like raw text it can be changed until somebody else can see it, which the
// store's mutex guards.
type patch struct {
	home   *bucket // where the page belongs, to publish it packed
	family int
	epoch  uint64        // the store's when this was made: a later one means it was collected
	frozen bool          // somebody reads it: final
	texts  []patchText   // by slot, without duplicates
	base   uint32        // bytes of the text that was packed
	bytes  int           // memory of texts
	seen   time.Duration // age of the store at the first sweep after the first change, 0 before that

	packing sync.Mutex // held while the text is packed, so that it is packed once
}

type patchText struct {
	slot int
	text []byte // ours; shared with older patches of the page, so never written again
}

// writable says whether the page's patch, if it has one, can be changed as it is.
func (p *packed) writable(epoch uint64) bool {
	return p.patch != nil && p.patch.epoch == epoch && !p.patch.frozen
}

// patchable is a copy of a page of the bucket whose patch can be changed.
func (p *packed) patchable(b *bucket, f int, epoch uint64) *packed {
	next := &struct { // one allocation for both
		packed
		over patch
	}{packed: *p, over: patch{home: b, family: f, epoch: epoch, base: p.size}}
	next.patch = &next.over
	if t := p.patch; t != nil {
		next.over.base, next.over.seen, next.over.bytes = t.base, t.seen, t.bytes
		next.over.texts = append(make([]patchText, 0, len(t.texts)+4), t.texts...)
	}
	return &next.packed
}

// fits says whether not too many slots differ when those of the mask do.
func (p *packed) fits(mask uint64) bool {
	if p.patch != nil {
		for _, t := range p.patch.texts {
			mask |= 1 << t.slot
		}
	}
	return bits.OnesCount64(mask) <= maxPatches
}

// replace replaces the text of the slots that the mask names by text, which is not
// kept. The patch can be changed.
func (p *packed) replace(mask uint64, text []byte) {
	p.size += uint32(bits.OnesCount64(mask)*len(text)) - p.length(mask)
	t := p.patch
	for i := range t.texts {
		if one := &t.texts[i]; mask>>one.slot&1 == 1 {
			t.bytes += len(text) - len(one.text)
			one.text = slices.Clone(text)
			mask &^= 1 << one.slot
		}
	}
	for i := range slotsOf(mask) {
		t.texts = append(t.texts, patchText{i, slices.Clone(text)})
		t.bytes += len(text)
	}
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
	p := sh.packed.Load()
	if !p.fits(mask) {
		return false
	}
	s.account(b, weigh(sh).negative())
	if !p.writable(s.epoch) {
		p, sh = p.patchable(b, f, s.epoch), new(sheet)
		sh.packed.Store(p)
		b.pages[f] = sh
	}
	p.replace(mask, text)
	if p.size == 0 {
		b.pages[f] = nil
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
	q := s.budget.codec.deflate(*text, p.lens())
	s.publish(t.home, t.family, sh, q)
	return q
}
