package faults

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"strings"
	"time"

	"github.com/statefleet/statefleet/internal/wire"
)

// A slow answer sends paceBytes every paceEvery. It is slow or stalled for paceFor.
const (
	paceBytes = 64
	paceEvery = time.Second / 16
	paceFor   = 2 * time.Second
)

// faultWriter returns a writer that injects the fault into an answer, and calls count each
// time. end ends the request for the handler that answers it. after is the number of
// bytes before the fault, or determines the frames and the bit that it affects.
func (f Fault) faultWriter(w http.ResponseWriter, r *http.Request, end, count func(), after int) http.ResponseWriter {
	switch f {
	case Reset, Truncated, Slow, Stalled:
		return &truncatingWriter{ResponseWriter: w, fault: f, left: after, request: r, end: end, onInjected: count}
	case NoBookmarks, Duplicated, Garbled, Lost:
		listing := r.URL.Query().Get("sendInitialEvents") != ""
		return &frameWriter{ResponseWriter: w, fault: f, every: 1 + after%32, bit: after, listing: listing, onInjected: count}
	}
	return w
}

// truncatingWriter injects Reset, Truncated, Slow or Stalled after a number of bytes.
type truncatingWriter struct {
	http.ResponseWriter
	fault      Fault
	left       int       // bytes until the fault
	since      time.Time // when the fault was injected
	request    *http.Request
	end        func() // ends the request for the handler
	onInjected func()
	ended      bool // the answer is truncated; further bytes are dropped
}

func (c *truncatingWriter) Flush() { flush(c.ResponseWriter) }

func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() } // fails only without a Flusher

func (c *truncatingWriter) Write(p []byte) (int, error) {
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
		c.onInjected()
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

// wait waits for d. It returns false as soon as the request has ended.
func (c *truncatingWriter) wait(d time.Duration) bool {
	select {
	case <-c.request.Context().Done():
		return false
	case <-time.After(d):
		return true
	}
}

// frameWriter injects faults into single frames of a watch.
type frameWriter struct {
	http.ResponseWriter
	fault      Fault
	every      int  // one in this many frames is affected
	bit        int  // index of the bit to flip, modulo the number of bits
	seen       int  // number of frames so far
	listing    bool // within the initial events of a streamed list, which Lost must not drop
	onInjected func()
	pending    []byte // an incomplete frame
}

func (f *frameWriter) Flush() { flush(f.ResponseWriter) }

func (f *frameWriter) Write(p []byte) (int, error) {
	f.pending = append(f.pending, p...)
	for {
		frame := f.next()
		if frame == nil {
			return len(p), nil
		}
		if _, err := f.ResponseWriter.Write(f.corrupt(frame)); err != nil {
			return 0, err
		}
	}
}

// next removes a complete frame from pending and returns it, or nil if there is none. A
// frame is a length and as many bytes, or a line of JSON.
func (f *frameWriter) next() []byte {
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

func (f *frameWriter) corrupt(frame []byte) []byte {
	f.seen++
	due := f.seen%f.every == 0
	switch {
	case f.listing && f.fault == Lost:
		f.listing = !isBookmark(frame, true)
	case f.fault == NoBookmarks && isBookmark(frame, false) || f.fault == Lost && due && isEvent(frame):
		f.onInjected()
		return nil
	case f.fault == Duplicated:
		f.onInjected()
		return append(frame, frame...)
	case f.fault == Garbled && f.seen == f.every:
		f.onInjected()
		eventType := typeOf(frame)
		at := f.bit % (8 * len(eventType))
		eventType[at/8] ^= 1 << (at % 8)
	}
	return frame
}

// isBookmark reports whether a frame is the bookmark that ends a streamed list, or, if end is
// false, a periodic bookmark.
func isBookmark(frame []byte, end bool) bool {
	event, err := wire.NewEventReader(bytes.NewReader(frame)).Next()
	if err != nil || event.Type != "BOOKMARK" {
		return false
	}
	ends, err := wire.InitialEventsEnd(event.Encoding, event.Object)
	return err == nil && ends == end
}

func isEvent(frame []byte) bool {
	event, err := wire.NewEventReader(bytes.NewReader(frame)).Next()
	return err == nil && event.Type != "BOOKMARK" && event.Type != "ERROR"
}

// typeOf returns the part of a frame that holds the event's type. A reader detects any flipped
// bit there. In the object, only TLS can detect it, and after a wrong length a reader waits for
// more bytes.
func typeOf(frame []byte) []byte {
	if frame[0] == '{' {
		return frame[:bytes.IndexByte(frame, ',')]
	}
	const length, tag = 4, 2
	return frame[length : length+tag+int(frame[length+tag-1])]
}
