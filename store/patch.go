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
	home         *bucket // where the page belongs, to publish it packed
	family       int
	epoch        uint64        // the store's when this was made: a later one means it was collected
	frozen       bool          // somebody reads it: final
	texts        []patchText   // by slot, without duplicates
	baseSize     uint32        // bytes of the text that was packed
	textBytes    int           // memory of texts
	patchedSince time.Duration // age of the store at the first sweep after the first change, 0 before that

	compressMu sync.Mutex // held while the text is packed, so that it is packed once
}

type patchText struct {
	slot int
	text []byte // ours; shared with older patches of the page, so never written again
}

// writable says whether the page's patch, if it has one, can be changed as it is.
func (ct *compressedText) hasWritablePatch(epoch uint64) bool {
	return ct.patch != nil && ct.patch.epoch == epoch && !ct.patch.frozen
}

// patchable is a copy of a page of the bucket whose patch can be changed.
func (ct *compressedText) copyForPatch(b *bucket, f int, epoch uint64) *compressedText {
	next := &struct { // one allocation for both
		compressedText
		over patch
	}{compressedText: *ct, over: patch{home: b, family: f, epoch: epoch, baseSize: ct.size}}
	next.patch = &next.over
	if t := ct.patch; t != nil {
		next.over.baseSize, next.over.patchedSince, next.over.textBytes = t.baseSize, t.patchedSince, t.textBytes
		next.over.texts = append(make([]patchText, 0, len(t.texts)+4), t.texts...)
	}
	return &next.compressedText
}

// fits says whether not too many slots differ when those of the mask do.
func (ct *compressedText) canPatch(mask uint64) bool {
	if ct.patch != nil {
		for _, t := range ct.patch.texts {
			mask |= 1 << t.slot
		}
	}
	return bits.OnesCount64(mask) <= maxPatches
}

// replace replaces the text of the slots that the mask names by text, which is not
// kept. The patch can be changed.
func (ct *compressedText) replace(mask uint64, text []byte) {
	ct.size += uint32(bits.OnesCount64(mask)*len(text)) - ct.textLen(mask)
	t := ct.patch
	for i := range t.texts {
		if one := &t.texts[i]; mask>>one.slot&1 == 1 {
			t.textBytes += len(text) - len(one.text)
			one.text = slices.Clone(text)
			mask &^= 1 << one.slot
		}
	}
	for i := range slotsOf(mask) {
		t.texts = append(t.texts, patchText{i, slices.Clone(text)})
		t.textBytes += len(text)
	}
}

// length is how many bytes of text the slots of the mask have together.
func (ct *compressedText) textLen(mask uint64) (sum uint32) {
	if ct.patch != nil {
		for _, t := range ct.patch.texts {
			if mask>>t.slot&1 == 1 {
				sum += uint32(len(t.text))
				mask &^= 1 << t.slot
			}
		}
	}
	lens := ct.buf[ct.dataLen:]
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
func (s *Store) tryPatch(b *bucket, f int, mask uint64, text []byte) bool {
	blk := b.blocks[f]
	if blk == nil || blk.raw.Load() != nil {
		return false
	}
	ct := blk.compressed.Load()
	if !ct.canPatch(mask) {
		return false
	}
	s.account(b, usage(blk).negated())
	if !ct.hasWritablePatch(s.epoch) {
		ct, blk = ct.copyForPatch(b, f, s.epoch), new(block)
		blk.compressed.Store(ct)
		b.blocks[f] = blk
	}
	ct.replace(mask, text)
	if ct.size == 0 {
		b.blocks[f] = nil
	}
	s.account(b, usage(b.blocks[f]))
	return true
}

// lensOver are the lengths of the slots, given those of what was packed.
func (t *patch) applyLens(lens []uint32) []uint32 {
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
func (t *patch) recompress(blk *block) *compressedText {
	t.compressMu.Lock()
	defer t.compressMu.Unlock()
	ct := blk.compressed.Load()
	if ct.patch == nil {
		return ct
	}
	s := t.home.store
	text := s.budget.codec.buffer(int(ct.size))
	defer s.budget.codec.texts.Put(text)
	if err := s.budget.codec.decompress(*text, ct); err != nil {
		panic("store: memory corrupted: " + err.Error()) //nolint:forbidigo // as in load
	}
	q := s.budget.codec.compress(*text, ct.lens())
	s.setCompressed(t.home, t.family, blk, q)
	return q
}
