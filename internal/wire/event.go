package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Event is one frame of a watch. Object is, for Protobuf, the message inside
// the envelope, and valid until the next frame is read.
type Event struct {
	// Type is ADDED, MODIFIED, DELETED, BOOKMARK or ERROR; for ERROR the object
	// is a metav1.Status.
	Type     string
	Encoding Encoding
	Object   []byte
	// Size is the number of bytes that the frame took on the wire.
	Size int
}

// EventReader reads the frames of a watch. It is used by one goroutine.
type EventReader struct {
	br            *bufio.Reader
	json          *jsonReader // nil until the first byte says that it is JSON
	buf           []byte      // a frame that does not fit into br
	bufferedFrame int         // bytes of br that the last frame is
	read          bool

	table *table // not nil when the objects are Tables
}

// frameBuffer takes nearly every frame whole.
const frameBuffer = 32 << 10

// frameHead is what a frame's length takes, in bytes.
const frameHead = 4

// NewEventReader returns a reader of the frames in r.
func NewEventReader(r io.Reader) *EventReader {
	return &EventReader{br: bufio.NewReaderSize(r, frameBuffer)}
}

// Next reads the next frame. io.EOF means that the watch ended between frames.
// Of the other errors, those that are an ErrFrame concern this frame only, and
// Next may be called again.
func (e *EventReader) Next() (Event, error) {
	if !e.read {
		first, err := e.br.Peek(1)
		if err != nil {
			return Event{}, err
		}
		// A length of more than 16 MiB, which JSON's brace would be, is no frame's.
		if first[0] == '{' || first[0] == '\n' || first[0] == ' ' {
			e.json = newJSONReader(e.br)
		}
		e.read = true
	}
	if e.json != nil {
		return e.nextJSON()
	}
	return e.nextProtobuf()
}

// ErrFrame is what errors of a single frame wrap: the frame's bounds were
// sound, its content was not.
var ErrFrame = errors.New("bad watch frame")

// Field numbers of metav1.WatchEvent.
const (
	eventType   = 1
	eventObject = 2
)

func (e *EventReader) nextProtobuf() (Event, error) {
	_, _ = e.br.Discard(e.bufferedFrame)
	e.bufferedFrame = 0
	head, err := e.br.Peek(frameHead)
	if err != nil {
		if len(head) > 0 {
			err = unexpected(err)
		}
		return Event{}, err
	}
	size := binary.BigEndian.Uint32(head)
	_, _ = e.br.Discard(frameHead)
	if size > MaxObject {
		return Event{}, fmt.Errorf("watch frame of %d bytes", size)
	}
	frame, err := e.frame(int(size))
	if err != nil {
		return Event{}, unexpected(err)
	}
	ev := Event{Encoding: Protobuf, Size: frameHead + len(frame)}
	if err := ev.open(frame); err != nil {
		return ev, fmt.Errorf("%w: %w", ErrFrame, err)
	}
	return ev, nil
}

// frame returns the next so many bytes, which are valid until more are read.
func (e *EventReader) frame(size int) ([]byte, error) {
	if size <= frameBuffer {
		if cap(e.buf) > 1<<20 {
			e.buf = nil
		}
		frame, err := e.br.Peek(size)
		if err == nil {
			e.bufferedFrame = size
		}
		return frame, err
	}
	if cap(e.buf) < size {
		e.buf = make([]byte, size)
	}
	e.buf = e.buf[:size]
	_, err := io.ReadFull(e.br, e.buf)
	return e.buf, err
}

func (ev *Event) open(frame []byte) error {
	kind, err := messageField(frame, eventType)
	if err != nil {
		return err
	}
	extension, err := messageField(frame, eventObject)
	if err != nil {
		return err
	}
	envelope, err := messageField(extension, rawExtensionRaw)
	if err != nil {
		return err
	}
	ev.Type = internEventType(kind)
	ev.Object, err = Unwrap(envelope)
	return err
}

// internEventType spares an allocation for the types there are.
func internEventType(b []byte) string {
	switch string(b) {
	case "ADDED":
		return "ADDED"
	case "MODIFIED":
		return "MODIFIED"
	case "DELETED":
		return "DELETED"
	case "BOOKMARK":
		return "BOOKMARK"
	case "ERROR":
		return "ERROR"
	}
	return string(b)
}

var errNoObject = errors.New("no object")

func (e *EventReader) nextJSON() (Event, error) {
	before := e.json.read
	frame, err := e.json.value()
	if err != nil {
		return Event{}, err
	}
	ev := Event{Encoding: JSON, Size: int(e.json.read - before)}
	err = members(frame, func(name, value []byte) error {
		switch string(name) {
		case `"type"`:
			kind, err := stringContent(value)
			ev.Type = internEventType(kind)
			return err
		case `"object"`:
			ev.Object = value
		}
		return nil
	})
	if err == nil && (len(ev.Object) == 0 || ev.Object[0] != '{') {
		err = errNoObject
	}
	if err == nil && !ValidJSON(frame) {
		err = errJSON
	}
	if err != nil {
		return ev, fmt.Errorf("%w: %w", ErrFrame, err)
	}
	if e.table != nil && ev.Type != "ERROR" {
		object, err := e.table.fromEvent(ev.Object)
		if err != nil {
			return ev, fmt.Errorf("%w: %w", ErrFrame, err)
		}
		ev.Object = object
	}
	return ev, nil
}
