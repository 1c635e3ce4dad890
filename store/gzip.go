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
func (p *Page) GzipSize() int64 {
	if p.packed != nil {
		return p.gzipSize
	}
	p.packed = make([]*packed, len(p.sheets))
	p.gzipSize = int64(len(gzipHeader) + len(gzipEnd) + gzipTrailer)
	for i, sh := range p.sheets {
		// The size must not change until WriteGzip, whatever the sheet gets meanwhile.
		packed := sh.pack()
		p.packed[i] = packed
		p.gzipSize += int64(packed.deflated)
		p.crc = crcJoin(p.crc, packed.crc, packed.shift)
	}
	return p.gzipSize
}

// WriteGzip writes the page as one gzip member.
func (p *Page) WriteGzip(w io.Writer) error {
	p.GzipSize()
	out := p.budget.buffers.gather(w)
	defer out.release(&p.budget.buffers)
	out.write(gzipHeader[:])
	for _, packed := range p.packed {
		out.write(packed.data())
	}
	out.write(gzipEnd[:])
	var trailer [gzipTrailer]byte
	binary.LittleEndian.PutUint32(trailer[:], p.crc)
	binary.LittleEndian.PutUint32(trailer[4:], uint32(p.size)) // modulo 2^32 by definition
	out.write(trailer[:])
	out.flush()
	if out.err != nil {
		return fmt.Errorf("write page as gzip: %w", out.err)
	}
	return nil
}
