package store

import (
	"encoding/binary"
	"fmt"
	"io"
)

// One gzip member (RFC 1952): header, the pages, an empty last block, CRC-32
// and length. The pages end on byte boundaries, so nothing is shifted.
var (
	gzipHeader = [...]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255} // deflate, no time, unknown system
	gzipEnd    = [...]byte{0x03, 0x00}                           // final block, fixed codes, empty
)

const gzipTrailer = 8

// GzipSize is exactly how many bytes WriteGzip writes. The pages that changed
// since somebody last asked are deflated here; the stores keep the result.
func (snap *Snapshot) GzipSize() int64 {
	if snap.compressed != nil {
		return snap.gzipSize
	}
	snap.compressed = make([]*compressedText, len(snap.blocks))
	snap.gzipSize = int64(len(gzipHeader) + len(gzipEnd) + gzipTrailer)
	for i, blk := range snap.blocks {
		// The size must not change until WriteGzip, whatever the sheet gets meanwhile.
		ct := blk.compress()
		snap.compressed[i] = ct
		snap.gzipSize += int64(ct.dataLen)
		snap.crc = crcCombine(snap.crc, ct.crc, ct.crcFactor)
	}
	return snap.gzipSize
}

// WriteGzip writes the page as one gzip member.
func (snap *Snapshot) WriteGzip(w io.Writer) error {
	snap.GzipSize()
	out := snap.budget.buffers.newWriter(w)
	defer out.release(&snap.budget.buffers)
	out.write(gzipHeader[:])
	for _, ct := range snap.compressed {
		out.write(ct.data())
	}
	out.write(gzipEnd[:])
	var trailer [gzipTrailer]byte
	binary.LittleEndian.PutUint32(trailer[:], snap.crc)
	binary.LittleEndian.PutUint32(trailer[4:], uint32(snap.size)) // modulo 2^32 by definition
	out.write(trailer[:])
	out.flush()
	if out.err != nil {
		return fmt.Errorf("write page as gzip: %w", out.err)
	}
	return nil
}
