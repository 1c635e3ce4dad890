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

// level is the compression level. Compared with level 1, it takes as long and saves 1 % of the
// bytes. Level 6 saves another 4 % and takes 1.6 times as long.
const level = 2

// codec compresses and decompresses text. A flate writer takes 0.5 to 1 MB and a reader 50 kB, so
// both are pooled. They are reset for every block, because no block refers to another one. At most
// GOMAXPROCS of them work at the same time: with more, memory would grow with the number of
// scrapes, and no scrape would finish earlier. Safe for concurrent use.
type codec struct {
	writers, readers, texts sync.Pool

	sem chan struct{}
}

func newCodec() *codec { return &codec{sem: make(chan struct{}, runtime.GOMAXPROCS(0))} }

// acquire waits until fewer than GOMAXPROCS goroutines compress or decompress. The caller must not
// wait for anything else until it calls release.
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

// compress compresses text and stores the slot lengths with it. The data ends in a sync flush, that
// is on a byte boundary and without a final deflate block, so that the data of several blocks can
// be concatenated.
func (c *codec) compress(text []byte, lens *slotLens) *compressedText {
	c.acquire()
	defer c.release()
	d, _ := c.writers.Get().(*compressor)
	if d == nil {
		d = new(compressor)
		d.Writer, _ = flate.NewWriter(&d.out, level) // fails only for unknown levels
	}
	defer c.writers.Put(d)

	d.out.Reset()
	d.Reset(&d.out)
	_, _ = d.Write(text) // a bytes.Buffer returns no error
	_ = d.Flush()

	var stack [slotsPerBucket * 3]byte
	return &compressedText{
		buf:       slices.Concat(d.out.Bytes(), lens.append(stack[:0])),
		dataLen:   uint32(d.out.Len()),
		size:      uint32(len(text)),
		crc:       crc32.ChecksumIEEE(text),
		crcFactor: crcFactorFor(len(text)),
	}
}

// buffer returns a pooled buffer of the given size. The caller returns it to c.texts.
func (c *codec) buffer(size int) *[]byte {
	b, _ := c.texts.Get().(*[]byte)
	if b == nil {
		b = new([]byte)
	}
	*b = slices.Grow((*b)[:0], size)[:size]
	return b
}

// decompress writes the text of ct to dst, which must have ct.size bytes. It fails only if memory
// is corrupted.
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
	ct.patch.apply(dst, *base, ct.baseLens())
	return nil
}

// mustDecompress is decompress for text that we need.
func (c *codec) mustDecompress(dst []byte, ct *compressedText) {
	if err := c.decompress(dst, ct); err != nil {
		panic("store: memory corrupted: " + err.Error()) //nolint:forbidigo // data that we compressed must be readable
	}
}

// recompress merges the patch of ct into its text.
func (c *codec) recompress(ct *compressedText) *compressedText {
	text := c.buffer(int(ct.size))
	defer c.texts.Put(text)
	c.mustDecompress(*text, ct)
	lens := ct.lens()
	return c.compress(*text, &lens)
}

// decompressBase writes the text without the patch to dst.
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
		return fmt.Errorf("reset decompressor: %w", err)
	}
	if _, err := io.ReadFull(r, dst); err != nil {
		return fmt.Errorf("decompress block of %d bytes: %w", len(dst), err)
	}
	return nil
}
