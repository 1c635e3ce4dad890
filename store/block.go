package store

import (
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// sheet is the text of one family for the objects of one bucket: what a page
// is at one moment. It has one or two forms, raw and packed, and never none.
//
// A sheet that anybody but its bucket can see is final: its text never changes
// again, forms may come and go. A change of such a page makes a new sheet. A
// reader loads raw first; when that is nil, packed is there.
type block struct {
	raw        atomic.Pointer[rawText]
	compressed atomic.Pointer[compressedText]
}

// raw is text that can be edited. The fields but packing are guarded by the
// store's mutex until the sheet is final, then text and lens are read-only.
type rawText struct {
	text []byte   // lines in slot order
	lens []uint32 // bytes per slot; slots past the end have none

	home       *bucket // where the sheet belongs, to publish the packed form
	family     int
	epoch      uint64        // the store's when this was made: a later one means it was collected
	frozen     bool          // somebody packs it: final
	quietSince time.Duration // age of the store at the first sweep after the last write, 0 before that

	compressMu sync.Mutex // held while the text is packed, so that it is packed once
}

// packed is deflated text, maybe with a few changes on top; immutable but for those. The lengths of the slots ride behind the
// deflated bytes.
type compressedText struct {
	buf       []byte
	dataLen   uint32 // bytes of buf that are deflated text
	size      uint32 // bytes of text
	crc       uint32 // CRC-32 of the text
	crcFactor uint32 // crcShift(size)

	// patch, when there is one, is what has changed since: size and lens are
	// then those of the text with the changes, the other fields without.
	patch *patch
}

// data are the deflated bytes; of no use while there is a patch.
func (ct *compressedText) data() []byte { return ct.buf[:ct.dataLen] }

func (ct *compressedText) lens() []uint32 {
	lens := parseLens(ct.buf[ct.dataLen:])
	if ct.patch != nil {
		lens = ct.patch.applyLens(lens)
	}
	return lens
}

// memory is what the page takes.
func (ct *compressedText) memory() int {
	if ct.patch == nil {
		return len(ct.buf)
	}
	return len(ct.buf) + ct.patch.textBytes
}

// size is the length of the text in bytes.
func (blk *block) size() int {
	if r := blk.raw.Load(); r != nil {
		return len(r.text)
	}
	return int(blk.compressed.Load().size)
}

// fixed is a final sheet in both forms: headers and the like.
func staticBlock(text []byte, c *codec) *block {
	blk := new(block)
	blk.raw.Store(&rawText{text: text, frozen: true})
	blk.compressed.Store(c.compress(text, nil))
	return blk
}

// splice replaces the text of a slot. The capacity must suffice.
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

// cut removes the text of all slots of the mask. What is before the first of them
// stays where it is, and what is between two moves at once.
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

// move moves a part of the text down to kept, and returns its length.
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

// skipLens returns what comes behind the first n of the lengths.
func skipLens(src []byte, n int) []byte {
	i := 0
	for ; n > 0 && i < len(src); i++ {
		if src[i] < 0x80 { // the last byte of one
			n--
		}
	}
	return src[i:]
}
