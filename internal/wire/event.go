package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Event is one frame of a watch. For Protobuf, Object is the message inside
// the envelope. It is valid until the next frame is read.
type Event struct {
	// Type is ADDED, MODIFIED, DELETED, BOOKMARK or ERROR; for ERROR the object
	// is a metav1.Status.
	Type     string
	Encoding Encoding
	Object   []byte
	// Size is the number of bytes that the frame took in the response.
	Size int
}

// EventReader reads the frames of a watch. It is not safe for concurrent use.
type EventReader struct {
	br     *bufio.Reader
	json   *jsonReader // set by the first call of Next if the watch is JSON; else nil
	frames partReader
	read   bool

	table *table // set if the objects are Tables; else nil
}

// frameBuffer is the size of the read buffer in bytes. Nearly every frame fits into it.
const frameBuffer = 32 << 10

// frameHeader is the size of the length before a frame, in bytes.
const frameHeader = 4

// NewEventReader returns a reader of the frames in r.
func NewEventReader(r io.Reader) *EventReader {
	br := bufio.NewReaderSize(r, frameBuffer)
	return &EventReader{br: br, frames: partReader{br: br}}
}

// Next reads the next frame. It returns io.EOF if the watch ended between
// frames. An error that wraps ErrFrame concerns this frame only: Next may be
// called again. After any other error the next frame cannot be found.
func (e *EventReader) Next() (Event, error) {
	if !e.read {
		first, err := e.br.Peek(1)
		if err != nil {
			return Event{}, err
		}
		// As the first byte of a length, each of these would mean more than 16 MiB.
		if first[0] == '{' || first[0] == '\n' || first[0] == ' ' {
			e.json = &jsonReader{br: e.br}
		}
		e.read = true
	}
	if e.json != nil {
		return e.nextJSON()
	}
	return e.nextProtobuf()
}

// ErrFrame is wrapped by the errors that concern a single frame: its bounds
// were valid, but its content was not.
var ErrFrame = errors.New("invalid watch frame")

// Field numbers of metav1.WatchEvent.
const (
	eventType   = 1
	eventObject = 2
)

func (e *EventReader) nextProtobuf() (Event, error) {
	e.frames.release()
	head, err := e.br.Peek(frameHeader)
	if err != nil {
		if len(head) > 0 {
			err = unexpected(err)
		}
		return Event{}, err
	}
	size := binary.BigEndian.Uint32(head)
	_, _ = e.br.Discard(frameHeader)
	if size > MaxObject {
		return Event{}, fmt.Errorf("watch frame must not exceed %d bytes, got %d", MaxObject, size)
	}
	frame, err := e.frames.next(int(size))
	if err != nil {
		return Event{}, err
	}
	ev := Event{Encoding: Protobuf, Size: frameHeader + len(frame)}
	if err := ev.open(frame); err != nil {
		return ev, fmt.Errorf("%w: %w", ErrFrame, err)
	}
	return ev, nil
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

// internEventType avoids an allocation for the known event types.
func internEventType(b []byte) string {
	for _, known := range [...]string{"ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"} {
		if string(b) == known {
			return known
		}
	}
	return string(b)
}

var errNoObject = errors.New("event has no object")

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
