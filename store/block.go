package store

import (
	"encoding/binary"
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

// rawText is the editable form. Until the block is frozen, the store's mutex guards every field but
// compressMu. Afterwards text and lens are read-only.
type rawText struct {
	text []byte   // lines in slot order
	lens []uint32 // bytes per slot; slots past the end have none

	home       *bucket // bucket of the block, for setCompressed
	family     int
	epoch      uint64        // Store.epoch at creation; if that is larger now, a snapshot holds the block
	frozen     bool          // being compressed
	quietSince time.Duration // age of the store at the first sweep after the last write; 0 before that sweep

	compressMu sync.Mutex // held during compression, so that the text is compressed only once
}

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

func (ct *compressedText) lens() []uint32 {
	lens := parseLens(ct.buf[ct.dataLen:])
	if ct.patch != nil {
		lens = ct.patch.applyLens(lens)
	}
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

// staticBlock returns a frozen block with both forms, for headers and the end of the exposition.
func staticBlock(text []byte, c *codec) *block {
	blk := new(block)
	blk.raw.Store(&rawText{text: text, frozen: true})
	blk.compressed.Store(c.compress(text, nil))
	return blk
}

// splice replaces the text of a slot. The caller has ensured the capacity.
func (r *rawText) splice(slot int, text []byte) {
	if slot >= len(r.lens) {
		r.lens = append(r.lens, make([]uint32, slot+1-len(r.lens))...)
	}
	start := 0
	for _, n := range r.lens[:slot] {
		start += int(n)
	}
	r.text = slices.Replace(r.text, start, start+int(r.lens[slot]), text...)
	r.lens[slot] = uint32(len(text))
}

// deleteSlots removes the text of every slot in the mask. The text before the first of them does
// not move, and each run of text between two of them is moved in one copy.
func (r *rawText) deleteSlots(mask uint64) {
	kept, from, at := 0, 0, 0
	for slot, n := range r.lens {
		if mask>>slot&1 == 1 {
			kept += r.moveDown(kept, from, at)
			r.lens[slot], from = 0, at+int(n)
		}
		at += int(n)
	}
	r.text = r.text[:kept+r.moveDown(kept, from, at)]
}

// moveDown moves text[from:to] down to offset kept and returns its length.
func (r *rawText) moveDown(kept, from, to int) int {
	if kept == from {
		return to - from
	}
	return copy(r.text[kept:], r.text[from:to])
}

// appendLens appends the lengths of slots as uvarints.
func appendLens(dst []byte, lens []uint32) []byte {
	for _, n := range lens {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	return dst
}

func parseLens(src []byte) []uint32 {
	lens := make([]uint32, 0, slotsPerBucket)
	for len(src) > 0 {
		n, width := binary.Uvarint(src)
		lens = append(lens, uint32(n))
		src = src[max(width, 1):]
	}
	return lens
}

// skipLens returns src without its first n lengths.
func skipLens(src []byte, n int) []byte {
	i := 0
	for ; n > 0 && i < len(src); i++ {
		if src[i] < 0x80 { // last byte of a uvarint
			n--
		}
	}
	return src[i:]
}
