package wire

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MaxObject is the largest size of a single object or frame, in bytes. A stream with a larger one
// is not trusted. etcd accepts requests of 1.5 MiB unless its --max-request-bytes is raised, and
// warns if that exceeds 10 MiB. API servers store objects as protobuf or compact JSON and send them
// with little overhead, so 16 MiB suffice even for an etcd whose limit is 10 MiB.
const MaxObject = 16 << 20

// ReadList reads the body of a list and calls visit with the bytes of each
// item, which are valid until visit returns. It passes an item as soon as it
// has arrived, so at most one is in memory. The list's metadata may come before
// or after the items; it is complete if the error is nil. A body that ends
// early gives io.ErrUnexpectedEOF. An error of visit ends the reading.
func ReadList(r io.Reader, visit func(enc Encoding, object []byte) error) (metav1.ListMeta, error) {
	return Form{}.ReadList(r, visit)
}

// ReadList is [ReadList] for a response in this form. Each row of a Table is passed to visit as an object that has the
// metadata and the field that the column shows.
func (f Form) ReadList(r io.Reader, visit func(enc Encoding, object []byte) error) (metav1.ListMeta, error) {
	t := f.table() // nil if a list of objects is expected
	br := bufio.NewReaderSize(r, frameBuffer)
	head, err := br.Peek(len(magic))
	switch {
	case err == nil && string(head) == magic && t != nil:
		return metav1.ListMeta{}, errNoTable
	case err == nil && string(head) == magic:
		_, _ = br.Discard(len(magic))
		return readProtobufList(br, visit)
	case len(head) > 0 && (head[0] == '{' || head[0] == ' ' || head[0] == '\n'):
		return readJSONList(br, t, visit)
	case err != nil:
		return metav1.ListMeta{}, unexpected(err)
	}
	return metav1.ListMeta{}, fmt.Errorf("list must be protobuf or JSON, but begins with %q", head)
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// listReader reads the fields of nested protobuf messages from a stream.
type listReader struct {
	partReader
	left uint64 // unread bytes of the message
}

// readProtobufList reads a runtime.Unknown whose raw field is the list.
func readProtobufList(br *bufio.Reader, visit func(Encoding, []byte) error) (metav1.ListMeta, error) {
	var meta metav1.ListMeta
	l := listReader{partReader: partReader{br: br}}
	for {
		number, wireType, err := l.tag()
		if errors.Is(err, io.EOF) {
			return meta, io.ErrUnexpectedEOF // there was no raw field
		}
		if err != nil {
			return meta, err
		}
		length, err := l.length(wireType)
		if err != nil {
			return meta, err
		}
		if number != unknownRaw {
			if _, err := io.CopyN(io.Discard, br, int64(length)); err != nil {
				return meta, unexpected(err)
			}
			continue
		}
		l.left = length
		err = l.items(&meta, visit)
		if err == nil {
			_, err = io.Copy(io.Discard, br) // content type and encoding follow
		}
		return meta, err
	}
}

// Field numbers that all lists share.
const (
	listMetadata = 1
	listItems    = 2
)

func (l *listReader) items(meta *metav1.ListMeta, visit func(Encoding, []byte) error) error {
	for l.left > 0 {
		number, wireType, err := l.tag()
		if err != nil {
			return unexpected(err)
		}
		length, err := l.length(wireType)
		if err != nil {
			return err
		}
		if length > l.left || length > MaxObject {
			return fmt.Errorf("protobuf: list field of %d bytes exceeds the list or %d bytes", length, MaxObject)
		}
		l.left -= length
		value, err := l.next(int(length))
		if err != nil {
			return err
		}
		switch number {
		case listMetadata:
			err = meta.Unmarshal(value)
		case listItems:
			err = visit(Protobuf, value)
		}
		if err != nil {
			return err
		}
		l.release()
	}
	return nil
}

func (l *listReader) tag() (number, wireType uint64, err error) {
	tag, err := binary.ReadUvarint(l)
	return tag >> 3, tag & 7, err
}

func (l *listReader) length(wireType uint64) (uint64, error) {
	if wireType != wireBytes {
		return 0, fmt.Errorf("protobuf: list field must be length-delimited, got wire type %d", wireType)
	}
	n, err := binary.ReadUvarint(l)
	if n > 1<<62 {
		return 0, fmt.Errorf("protobuf: list field of %d bytes is too large", n)
	}
	return n, unexpected(err)
}

// ReadByte reads a byte of a tag or a length, and subtracts it from left.
func (l *listReader) ReadByte() (byte, error) {
	if l.left > 0 {
		l.left--
	}
	return l.br.ReadByte()
}

// partReader reads parts of a stream whose lengths are known.
type partReader struct {
	br       *bufio.Reader
	buf      []byte // a part that does not fit into br
	buffered int    // bytes of br that the last part occupies
}

// next returns the next n bytes, which are valid until release is called. Nothing else may be read
// before that.
func (p *partReader) next(n int) (part []byte, err error) {
	if n > frameBuffer {
		p.buf = slices.Grow(p.buf[:0], n)[:n]
		_, err = io.ReadFull(p.br, p.buf)
		return p.buf, unexpected(err)
	}
	if cap(p.buf) > 1<<20 {
		p.buf = nil
	}
	if part, err = p.br.Peek(n); err == nil {
		p.buffered = n
	}
	return part, unexpected(err)
}

func (p *partReader) release() {
	_, _ = p.br.Discard(p.buffered)
	p.buffered = 0
}

// readJSONList reads the members of a JSON list from the stream, and its items one by one.
func readJSONList(br *bufio.Reader, t *table, visit func(Encoding, []byte) error) (metav1.ListMeta, error) {
	var meta metav1.ListMeta
	want, complete := "items", false
	if t != nil {
		want, visit = "rows", t.visit(visit)
	}
	var others []string // the first few
	r := &jsonReader{br: br}
	err := r.each('{', '}', func() error {
		name, err := r.name()
		switch {
		case err != nil:
			return err
		case name == want:
			complete = true
			return readJSONItems(r, visit)
		case name == "items":
			return errNoTable
		}
		if len(others) < maxNamedMembers {
			others = append(others, name)
		}
		value, err := r.value()
		switch {
		case err != nil:
		case name == "metadata":
			err = json.Unmarshal(value, &meta)
		case name == "columnDefinitions" && t != nil:
			err = t.columns(value)
		}
		return err
	})
	if err == nil && !complete {
		// An API server sends an empty list as [] or null. A proxy before it may answer with anything.
		err = fmt.Errorf("json: list must have the member %q, got an object with the members %.100q", want, others)
	}
	return meta, unexpected(err)
}

// maxNamedMembers is how many members of an answer that is not a list are named in the error.
const maxNamedMembers = 8

func readJSONItems(r *jsonReader, visit func(Encoding, []byte) error) error {
	first, err := r.next()
	if err != nil {
		return err
	}
	if first != '[' { // null means no items
		value, err := r.value()
		if err == nil && string(value) != "null" {
			err = fmt.Errorf("json: items must be a list, but begin with %q", first)
		}
		return err
	}
	return r.each('[', ']', func() error {
		item, err := r.value()
		if err != nil {
			return err
		}
		return visit(JSON, item)
	})
}
