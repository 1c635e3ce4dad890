package store

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"slices"
	"sync"

	"github.com/klauspost/compress/flate"
)

// level is the effort of compression. It takes as long as level 1 and gives 1 % fewer bytes;
// level 6 gives another 4 % and takes 1.6 times as long.
const level = 2

// codec packs and unpacks pages. A flate writer is 0.5 to 1 MB and a reader
// 50 kB, so both are pooled and reset for every page: nothing in a page refers
// to an earlier one. No more of them work at once than there are CPUs: what many
// scrapes take together would else grow with their number, for no text any sooner.
// Safe for concurrent use.
type codec struct {
	writers, readers, texts sync.Pool

	sem chan struct{}
}

func newCodec() *codec { return &codec{sem: make(chan struct{}, runtime.GOMAXPROCS(0))} }

// enter waits for a turn to pack or to unpack; leave ends it. Who has one waits for
// nobody until then.
func (c *codec) acquire() { c.sem <- struct{}{} }

func (c *codec) release() { <-c.sem }

type compressor struct {
	*flate.Writer
	out bytes.Buffer
}

type decompressor struct {
	flate.Resetter
	io.Reader
	in bytes.Reader
}

// deflate packs text with the lengths of its slots. The result is a run of
// deflate blocks that ends in a sync flush: on a byte boundary and without a
// final block, so that runs concatenate.
func (c *codec) compress(text []byte, lens []uint32) *compressedText {
	c.acquire()
	defer c.release()
	d, _ := c.writers.Get().(*compressor)
	if d == nil {
		d = new(compressor)
		d.Writer, _ = flate.NewWriter(&d.out, level) // fails for unknown levels only
	}
	defer c.writers.Put(d)

	d.out.Reset()
	d.Reset(&d.out)
	_, _ = d.Write(text) // a bytes.Buffer takes everything
	_ = d.Flush()

	dataLen := d.out.Len()
	var stack [slotsPerBucket * 3]byte
	return &compressedText{
		buf:       concat(d.out.Bytes(), appendLens(stack[:0], lens)),
		dataLen:   uint32(dataLen),
		size:      uint32(len(text)),
		crc:       crc32.ChecksumIEEE(text),
		crcFactor: crcFactorFor(len(text)),
	}
}

// joined is a and b in memory of exactly their length.
func concat(a, b []byte) []byte {
	buf := make([]byte, len(a)+len(b))
	copy(buf[copy(buf, a):], b)
	return buf
}

// scratch is memory for so many bytes, to be given back to texts.
func (c *codec) buffer(size int) *[]byte {
	b, _ := c.texts.Get().(*[]byte)
	if b == nil {
		b = new([]byte)
	}
	*b = slices.Grow((*b)[:0], size)[:size]
	return b
}

// inflate unpacks p into dst, which must have p.size bytes. It fails only when
// memory was corrupted.
func (c *codec) decompress(dst []byte, ct *compressedText) error {
	c.acquire()
	defer c.release()
	if ct.patch == nil {
		return c.decompressBase(dst, ct)
	}
	base := c.buffer(int(ct.patch.baseSize))
	defer c.texts.Put(base)
	if err := c.decompressBase(*base, ct); err != nil {
		return err
	}
	ct.patch.apply(dst, *base, parseLens(ct.buf[ct.dataLen:]))
	return nil
}

// inflateData unpacks what was packed, without changes since.
func (c *codec) decompressBase(dst []byte, ct *compressedText) error {
	r, _ := c.readers.Get().(*decompressor)
	if r == nil {
		r = new(decompressor)
		fr := flate.NewReader(&r.in)
		r.Reader, r.Resetter = fr, fr.(flate.Resetter)
	}
	defer c.readers.Put(r)

	r.in.Reset(ct.data())
	defer r.in.Reset(nil)
	if err := r.Reset(&r.in, nil); err != nil {
		return fmt.Errorf("reset inflater: %w", err)
	}
	if _, err := io.ReadFull(r, dst); err != nil {
		return fmt.Errorf("inflate page of %d bytes: %w", len(dst), err)
	}
	return nil
}
