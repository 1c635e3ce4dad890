package store

import (
	"encoding/binary"
	"fmt"
	"io"
)

// One gzip member (RFC 1952): header, the data of the blocks, an empty final deflate block, CRC-32
// and length. The data of each block ends on a byte boundary, so it is copied as it is.
var (
	gzipHeader = [...]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255} // deflate, no time, unknown system
	gzipEnd    = [...]byte{0x03, 0x00}                           // empty final deflate block with fixed codes
)

const gzipTrailer = 8

// GzipSize is exactly how many bytes WriteGzip writes. It compresses the blocks that changed since
// the last gzip scrape. The stores keep the result.
func (snap *Snapshot) GzipSize() int64 {
	if snap.compressed != nil {
		return snap.gzipSize
	}
	snap.compressed = make([]*compressedText, len(snap.blocks))
	snap.gzipSize = int64(len(gzipHeader) + len(gzipEnd) + gzipTrailer)
	for i, blk := range snap.blocks {
		// Keep this form for WriteGzip: the size must not change if the block gets another one.
		ct := blk.compress()
		snap.compressed[i] = ct
		snap.gzipSize += int64(ct.dataLen)
		snap.crc = crcCombine(snap.crc, ct.crc, ct.crcFactor)
	}
	return snap.gzipSize
}

// WriteGzip writes the snapshot as one gzip member.
func (snap *Snapshot) WriteGzip(w io.Writer) error {
	snap.GzipSize()
	out := snap.budget.chunks.newWriter(w)
	defer out.release(&snap.budget.chunks)
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
		return fmt.Errorf("write snapshot as gzip: %w", out.err)
	}
	return nil
}

// WriteText writes the snapshot as plain text. It decompresses one block after the other, because
// clients that do not accept gzip are rare.
func (snap *Snapshot) WriteText(w io.Writer) error {
	out := snap.budget.chunks.newWriter(w)
	defer out.release(&snap.budget.chunks)
	for _, blk := range snap.blocks {
		if r := blk.raw.Load(); r != nil {
			out.write(r.text)
			continue
		}
		out.fill(blk.size(), func(text []byte) error {
			return snap.budget.codec.decompress(text, blk.compressed.Load())
		})
		if out.err != nil {
			break
		}
	}
	out.flush()
	if out.err != nil {
		return fmt.Errorf("write snapshot as text: %w", out.err)
	}
	return nil
}
