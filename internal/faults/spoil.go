package faults

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"strings"
	"time"

	"github.com/statefleet/statefleet/internal/wire"
)

// How a slow answer comes, and for how long it is slow or stalled.
const (
	paceBytes = 64
	paceEvery = time.Second / 16
	paceFor   = 2 * time.Second
)

// spoiler returns a writer that does to an answer what the fault does.
// end ends the request, as far as who answers it is concerned.
func (f Fault) spoiler(w http.ResponseWriter, r *http.Request, end func(), after int) http.ResponseWriter {
	switch f {
	case Reset, Truncated, Slow, Stalled:
		return &cut{ResponseWriter: w, fault: f, left: after, request: r, end: end}
	case NoBookmarks, Duplicated, Garbled:
		return &frames{ResponseWriter: w, fault: f, left: after % 32}
	}
	return w
}

// cut lets some bytes through as they are.
type cut struct {
	http.ResponseWriter
	fault   Fault
	left    int // bytes until the fault
	since   time.Time
	request *http.Request
	end     func()
	ended   bool
}

func (c *cut) Flush() { flush(c.ResponseWriter) }

func flush(w http.ResponseWriter) {
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}

func (c *cut) Write(p []byte) (int, error) {
	if c.ended {
		return len(p), nil
	}
	n := min(c.left, len(p))
	c.left -= n
	if _, err := c.ResponseWriter.Write(p[:n]); err != nil || n == len(p) {
		return n, err
	}
	if c.since.IsZero() {
		c.since = time.Now()
	}
	flush(c.ResponseWriter)
	rest := p[n:]
	switch c.fault {
	case Slow:
		for len(rest) > 0 && time.Since(c.since) < paceFor && c.wait(paceEvery) {
			part := rest[:min(len(rest), paceBytes)]
			if _, err := c.ResponseWriter.Write(part); err != nil {
				return n, err
			}
			flush(c.ResponseWriter)
			rest = rest[len(part):]
		}
		_, err := c.ResponseWriter.Write(rest)
		return len(p), err
	case Stalled:
		c.wait(paceFor)
	case Truncated:
		c.ended = true
		c.end()
		return len(p), nil
	}
	panic(http.ErrAbortHandler) //nolint:forbidigo // how net/http ends a connection in the middle of an answer
}

// wait reports whether the client is still there.
func (c *cut) wait(d time.Duration) bool {
	select {
	case <-c.request.Context().Done():
		return false
	case <-time.After(d):
		return true
	}
}

// frames reads the frames of a watch on their way.
type frames struct {
	http.ResponseWriter
	fault   Fault
	left    int // frames until the fault
	pending []byte
}

func (f *frames) Flush() { flush(f.ResponseWriter) }

func (f *frames) Write(p []byte) (int, error) {
	f.pending = append(f.pending, p...)
	for {
		frame := f.next()
		if frame == nil {
			return len(p), nil
		}
		if _, err := f.ResponseWriter.Write(f.spoil(frame)); err != nil {
			return 0, err
		}
	}
}

// next takes a whole frame off what is pending: a length and as many bytes, or a
// line of JSON.
func (f *frames) next() []byte {
	var size int
	if strings.Contains(f.Header().Get("Content-Type"), "protobuf") {
		if len(f.pending) < 4 {
			return nil
		}
		size = 4 + int(binary.BigEndian.Uint32(f.pending))
	} else {
		size = bytes.IndexByte(f.pending, '\n') + 1
	}
	if size == 0 || len(f.pending) < size {
		return nil
	}
	frame := bytes.Clone(f.pending[:size])
	f.pending = f.pending[size:]
	return frame
}

func (f *frames) spoil(frame []byte) []byte {
	switch f.fault {
	case NoBookmarks:
		event, err := wire.NewEventReader(bytes.NewReader(frame)).Next()
		if err == nil && event.Type == "BOOKMARK" {
			if meta, err := wire.ReadMeta(event.Encoding, event.Object); err == nil && !meta.InitialEventsEnd {
				return nil
			}
		}
	case Duplicated:
		return append(frame, frame...)
	case Garbled:
		if f.left--; f.left == -1 {
			frame[0] ^= 1 << (len(frame) % 8)
		}
	}
	return frame
}
