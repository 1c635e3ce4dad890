package store

import (
	"encoding/binary"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// block is the text of one family for the objects of one bucket. It has a raw form, a compressed
// form, or both, and never neither.
//
// A block is frozen as soon as a snapshot holds it or a goroutine compresses it: its text never
// changes again, although a form may be added or dropped. An edit replaces a frozen block by a new
// one. Readers load raw first; if raw is nil, compressed is set.
type block struct {
	raw        atomic.Pointer[rawText]
	compressed atomic.Pointer[compressedText]
}

// editState belongs to what can be edited until the block is frozen: raw text, or a patch. The
// store's mutex guards every field but compressMu.
type editState struct {
	home   *bucket // bucket of the block, for setCompressed
	family int
	epoch  uint64 // Store.epoch at creation; if that is larger now, a snapshot holds the block
	frozen bool   // being compressed or saved
	// sweptAt is the age of the store at the first sweep after the last write of raw text, or after
	// the first change in a patch. It is 0 before that sweep.
	sweptAt time.Duration

	compressMu sync.Mutex // held during compression, so that the text is compressed only once
}

func (e *editState) editable(epoch uint64) bool { return e.epoch == epoch && !e.frozen }

// rawText is the editable form. Once the block is frozen, it is read-only.
type rawText struct {
	editState
	text []byte // lines in slot order
	lens slotLens
}

// slotLens is how many bytes of a text each slot has.
type slotLens [slotsPerBucket]uint32

// compressedText is the compressed form: deflate data followed by the lengths of the slots, and
// possibly a patch. It is immutable except for the patch.
type compressedText struct {
	buf       []byte
	dataLen   uint32 // bytes of deflate data in buf
	size      uint32 // bytes of uncompressed text
	crc       uint32 // CRC-32 of the text
	crcFactor uint32 // crcFactorFor(size)

	// patch holds the changes since compression, or is nil. If it is set, size and lens() include
	// the changes. The other fields do not.
	patch *patch
}

// data returns the deflate data, without the changes in the patch.
func (ct *compressedText) data() []byte { return ct.buf[:ct.dataLen] }

func (ct *compressedText) lens() slotLens {
	lens := ct.baseLens()
	if ct.patch != nil {
		for _, t := range ct.patch.texts {
			lens[t.slot] = uint32(len(t.text))
		}
	}
	return lens
}

// baseLens returns the slot lengths without the changes in the patch.
func (ct *compressedText) baseLens() slotLens {
	lens, _ := parseLens(ct.buf[ct.dataLen:]) // encoded by us, or checked when it was loaded
	return lens
}

// memory is how many bytes the text and its patch occupy.
func (ct *compressedText) memory() int {
	if ct.patch == nil {
		return len(ct.buf)
	}
	return len(ct.buf) + ct.patch.textBytes
}

// size is the length of the uncompressed text in bytes.
func (blk *block) size() int {
	if r := blk.raw.Load(); r != nil {
		return len(r.text)
	}
	return int(blk.compressed.Load().size)
}

func (blk *block) isRaw() bool { return blk.raw.Load() != nil }

// editState returns the state of the raw text or of the patch, or nil if the block has neither.
func (blk *block) editState() *editState {
	if r := blk.raw.Load(); r != nil {
		return &r.editState
	}
	if t := blk.compressed.Load().patch; t != nil {
		return &t.editState
	}
	return nil
}

// freeze keeps the text from being edited. The caller holds the mutex of the store.
func (blk *block) freeze() {
	if e := blk.editState(); e != nil {
		e.frozen = true
	}
}

// staticBlock returns a frozen block with both forms, for headers and the end of the exposition.
func staticBlock(text []byte, c *codec) *block {
	blk := new(block)
	blk.raw.Store(&rawText{text: text})
	blk.compressed.Store(c.compress(text, &slotLens{}))
	return blk
}

// splice replaces the text of a slot. The caller has ensured the capacity.
func (r *rawText) splice(slot int, text []byte) {
	start := 0
	for _, n := range r.lens[:slot] {
		start += int(n)
	}
	r.text = slices.Replace(r.text, start, start+int(r.lens[slot]), text...)
	r.lens[slot] = uint32(len(text))
}

// deleteSlots removes the text of every slot in the mask.
func (r *rawText) deleteSlots(mask uint64) {
	kept, at := r.text[:0], 0
	for slot, n := range r.lens {
		if mask>>slot&1 == 0 {
			kept = append(kept, r.text[at:at+int(n)]...)
		} else {
			r.lens[slot] = 0
		}
		at += int(n)
	}
	r.text = kept
}

// append appends the lengths as uvarints, up to the last slot with text.
func (lens *slotLens) append(dst []byte) []byte {
	used := len(lens)
	for used > 0 && lens[used-1] == 0 {
		used--
	}
	for _, n := range lens[:used] {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	return dst
}

// parseLens decodes what append has encoded. ok is false if it is anything else.
func parseLens(src []byte) (lens slotLens, ok bool) {
	for slot := 0; len(src) > 0; slot++ {
		n, width := binary.Uvarint(src)
		if width <= 0 || n > math.MaxUint32 || slot >= len(lens) {
			return lens, false
		}
		lens[slot], src = uint32(n), src[width:]
	}
	return lens, true
}
