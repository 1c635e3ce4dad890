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

// faultWriter returns a writer that does to an answer what the fault does, and calls
// struck when it does. end ends the request, as far as who answers it is concerned.
func (f Fault) faultWriter(w http.ResponseWriter, r *http.Request, end, struck func(), after int) http.ResponseWriter {
	switch f {
	case Reset, Truncated, Slow, Stalled:
		return &truncatingWriter{ResponseWriter: w, fault: f, left: after, request: r, end: end, onInjected: struck}
	case NoBookmarks, Duplicated, Garbled, Lost:
		listing := r.URL.Query().Get("sendInitialEvents") != ""
		return &frames{ResponseWriter: w, fault: f, every: 1 + after%32, bit: after, listing: listing, onInjected: struck}
	}
	return w
}

// truncatingWriter lets some bytes through as they are.
type truncatingWriter struct {
	http.ResponseWriter
	fault      Fault
	left       int // bytes until the fault
	since      time.Time
	request    *http.Request
	end        func()
	onInjected func()
	ended      bool
}

func (c *truncatingWriter) Flush() { flush(c.ResponseWriter) }

func flush(w http.ResponseWriter) {
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
}

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

// wait reports whether the client is still there.
func (c *truncatingWriter) wait(d time.Duration) bool {
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
	fault      Fault
	every      int  // frames, of which one is spoiled
	bit        int  // to be wrong, of many
	seen       int  // frames
	listing    bool // what is there already comes first, and has to come whole
	onInjected func()
	pending    []byte
}

func (f *frames) Flush() { flush(f.ResponseWriter) }

func (f *frames) Write(p []byte) (int, error) {
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

func (f *frames) corrupt(frame []byte) []byte {
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

// isBookmark tells periodic bookmarks from the one that ends a streamed list.
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

// typeOf is the part of a frame that holds the event's type. A reader notices what is wrong
// there. Only TLS protects the object, and the length, behind which a reader waits for more.
func typeOf(frame []byte) []byte {
	if frame[0] == '{' {
		return frame[:bytes.IndexByte(frame, ',')]
	}
	const length, tag = 4, 2
	return frame[length : length+tag+int(frame[length+tag-1])]
}
