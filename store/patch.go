package store

import (
	"math/bits"
	"slices"
)

// maxPatches is how many slots of a compressed block a patch may change. Beyond that, decompressing
// the block is cheaper.
const maxPatches = 32

// patch holds the changes of a compressed block since it was compressed. A change of a single
// object then costs the text of that object and no decompression of 64. A gzip scrape merges all
// changes of a block at once. Like raw text, a patch can be changed until the block is frozen. The
// store's mutex guards it.
type patch struct {
	editState
	texts     []patchText // at most one per slot
	baseSize  uint32      // bytes of uncompressed text below the patch
	textBytes int         // memory of texts
}

type patchText struct {
	slot int
	text []byte // owned by the store; immutable, because older patches of the block may share it
}

// copyForPatch returns a copy of the text for a new block of family f of b, with a patch that can
// be changed.
func (ct *compressedText) copyForPatch(b *bucket, f int, epoch uint64) *compressedText {
	next := &struct { // one allocation for text and patch
		compressedText
		overlay patch
	}{compressedText: *ct, overlay: patch{editState: editState{home: b, family: f, epoch: epoch}, baseSize: ct.size}}
	next.patch = &next.overlay
	if p := ct.patch; p != nil {
		next.overlay.baseSize, next.overlay.textBytes = p.baseSize, p.textBytes
		next.overlay.sweptAt = p.sweptAt
		next.overlay.texts = append(make([]patchText, 0, len(p.texts)+4), p.texts...)
	}
	return &next.compressedText
}

// canPatch reports whether the patch stays within maxPatches if the slots of the mask change too.
func (ct *compressedText) canPatch(mask uint64) bool {
	if ct.patch != nil {
		for _, t := range ct.patch.texts {
			mask |= 1 << t.slot
		}
	}
	return bits.OnesCount64(mask) <= maxPatches
}

// replace sets the text of every slot in the mask. It copies text. The patch must be writable.
func (ct *compressedText) replace(mask uint64, text []byte) {
	ct.size += uint32(bits.OnesCount64(mask)*len(text)) - ct.textLen(mask)
	p := ct.patch
	for i := range p.texts {
		if one := &p.texts[i]; mask>>one.slot&1 == 1 {
			p.textBytes += len(text) - len(one.text)
			one.text = slices.Clone(text)
			mask &^= 1 << one.slot
		}
	}
	for i := range slotsOf(mask) {
		p.texts = append(p.texts, patchText{i, slices.Clone(text)})
		p.textBytes += len(text)
	}
}

// textLen is how many bytes of text the slots of the mask have in total.
func (ct *compressedText) textLen(mask uint64) (sum uint32) {
	lens := ct.lens()
	for i := range slotsOf(mask) {
		sum += lens[i]
	}
	return sum
}

// tryPatch changes a compressed block without decompressing it. It returns false if that is
// impossible. The caller holds s.mu.
func (s *Store) tryPatch(b *bucket, f int, mask uint64, text []byte) bool {
	blk := b.blocks[f]
	if blk == nil || blk.raw.Load() != nil {
		return false
	}
	ct := blk.compressed.Load()
	if !ct.canPatch(mask) {
		return false
	}
	s.changeBlock(b, f, func() {
		if ct.patch == nil || !ct.patch.editable(s.epoch) {
			ct, blk = ct.copyForPatch(b, f, s.epoch), new(block)
			blk.compressed.Store(ct)
			b.blocks[f] = blk
		}
		ct.replace(mask, text)
	})
	return true
}

// apply writes the text with the patch to dst, given the text below it and the slot lengths of
// that.
func (p *patch) apply(dst, base []byte, lens slotLens) {
	var texts [slotsPerBucket]*patchText
	for i := range p.texts {
		texts[p.texts[i].slot] = &p.texts[i]
	}
	for i, n := range lens {
		text := base[:n]
		base = base[n:]
		if texts[i] != nil {
			text = texts[i].text
		}
		dst = dst[copy(dst, text):]
	}
}
