package savedstate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Frame types that this package uses itself. Others are up to the caller, from 1 on.
const (
	headerFrame byte = 0
	endFrame    byte = 255
)

const (
	frameHeader = 1 + 4 + 8 // type, length of the payload, checksum
	maxFrame    = 256 << 20
	bufferSize  = 256 << 10
)

// Writer writes frames. One goroutine uses it.
type Writer struct {
	ctx    context.Context
	out    *bufio.Writer
	rate   int64 // bytes per second; 0: no limit
	began  time.Time
	digest *xxhash.Digest
	size   int64
}

func newWriter(ctx context.Context, out io.Writer, rate int64) *Writer {
	return &Writer{ctx: ctx, out: bufio.NewWriterSize(out, bufferSize), rate: rate, began: time.Now(), digest: xxhash.New()}
}

// writeAll writes a file.
func (w *Writer) writeAll(h header, write func(*Writer) error) error {
	first, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if _, err := w.out.WriteString(magic); err != nil {
		return err
	}
	if err := w.Frame(headerFrame, first); err != nil {
		return err
	}
	if err := write(w); err != nil {
		return err
	}
	if err := w.Frame(endFrame, nil); err != nil {
		return err
	}
	return w.out.Flush()
}

// Frame writes a frame. It waits as the rate requires, and fails once the context has ended.
func (w *Writer) Frame(frameType byte, payload []byte) error {
	w.size += int64(frameHeader + len(payload))
	if w.size > MaxBytes || len(payload) > maxFrame {
		return errTooLarge
	}
	head := binary.LittleEndian.AppendUint32([]byte{frameType}, uint32(len(payload)))
	_, _ = w.digest.Write(head) // never fails
	_, _ = w.digest.Write(payload)
	head = binary.LittleEndian.AppendUint64(head, w.digest.Sum64())
	if _, err := w.out.Write(head); err != nil {
		return err
	}
	if _, err := w.out.Write(payload); err != nil {
		return err
	}
	return w.pace()
}

// pace waits until the frames that were written are within the rate.
func (w *Writer) pace() error {
	if w.rate <= 0 {
		return w.ctx.Err()
	}
	due := time.Duration(float64(w.size) / float64(w.rate) * float64(time.Second))
	if ahead := due - time.Since(w.began); ahead > 10*time.Millisecond {
		select {
		case <-time.After(ahead):
		case <-w.ctx.Done():
		}
	}
	return w.ctx.Err()
}

// Reader reads frames. One goroutine uses it.
type Reader struct {
	in      *bufio.Reader
	digest  *xxhash.Digest
	payload bytes.Buffer
	ended   bool
}

// newReader reads up to the header.
func newReader(in io.Reader) (*Reader, header, error) {
	r := &Reader{in: bufio.NewReaderSize(in, bufferSize), digest: xxhash.New()}
	start := make([]byte, len(magic))
	if _, err := io.ReadFull(r.in, start); err != nil || string(start) != magic {
		return nil, header{}, fmt.Errorf("%w: it begins with %q, want %q", errFormat, bytes.TrimRight(start, "\x00"), magic)
	}
	frameType, payload, err := r.Next()
	if err != nil {
		return nil, header{}, err
	}
	var h header
	if err := json.Unmarshal(payload, &h); err != nil || frameType != headerFrame {
		return nil, header{}, fmt.Errorf("%w: no header", errDamaged)
	}
	return r, h, nil
}

// Next returns the next frame, or io.EOF after the last one. The payload is valid until the next
// call. Its checksum was verified.
func (r *Reader) Next() (frameType byte, payload []byte, err error) {
	var head [frameHeader]byte
	if _, err := io.ReadFull(r.in, head[:]); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errDamaged, noEOF(err))
	}
	length := binary.LittleEndian.Uint32(head[1:])
	if length > maxFrame {
		return 0, nil, fmt.Errorf("%w: a frame of %d bytes", errDamaged, length)
	}
	r.payload.Reset()
	if _, err := io.CopyN(&r.payload, r.in, int64(length)); err != nil { // allocates only what is there
		return 0, nil, fmt.Errorf("%w: %w", errDamaged, noEOF(err))
	}
	_, _ = r.digest.Write(head[:5])
	_, _ = r.digest.Write(r.payload.Bytes())
	if r.digest.Sum64() != binary.LittleEndian.Uint64(head[5:]) {
		return 0, nil, fmt.Errorf("%w: wrong checksum", errDamaged)
	}
	if head[0] == endFrame {
		if _, err := r.in.ReadByte(); !errors.Is(err, io.EOF) {
			return 0, nil, fmt.Errorf("%w: it continues after its end", errDamaged)
		}
		r.ended = true
		return endFrame, nil, io.EOF
	}
	return head[0], r.payload.Bytes(), nil
}

// noEOF keeps the end of a truncated file from looking like the end of a complete one.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
