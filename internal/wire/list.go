package wire

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MaxObject bounds the bytes of a single object or frame; more means that the stream can't be
// trusted. etcd takes requests of 1.5 MiB unless its --max-request-bytes is raised, and warns
// above 10 MiB. API servers keep objects as protobuf or compact JSON and send them with little
// more than that, so that 16 MiB leave room for etcds that were raised to what they warn of.
const MaxObject = 16 << 20

// ReadList reads the body of a list and calls visit with the bytes of one item
// after another; they are valid until visit returns. An item is handed out
// as soon as it has arrived, so that no more than one is held at a time. The
// list's metadata may come before or after the items; it is complete when
// ReadList returns nil. A body that ends early gives io.ErrUnexpectedEOF.
func ReadList(r io.Reader, visit func(enc Encoding, object []byte) error) (metav1.ListMeta, error) {
	return readList(r, nil, visit)
}

// readList reads a Table when t is not nil.
func readList(r io.Reader, t *table, visit func(enc Encoding, object []byte) error) (metav1.ListMeta, error) {
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
	return metav1.ListMeta{}, fmt.Errorf("list is neither protobuf nor JSON: it begins with %q", head)
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// listReader reads the fields of nested protobuf messages from a stream.
type listReader struct {
	r    *bufio.Reader
	left uint64 // bytes of the message being read
	buf  []byte
}

// readProtobufList reads a runtime.Unknown whose raw field is the list.
func readProtobufList(br *bufio.Reader, visit func(Encoding, []byte) error) (metav1.ListMeta, error) {
	var meta metav1.ListMeta
	l := listReader{r: br}
	for {
		number, kind, err := l.tag()
		if errors.Is(err, io.EOF) {
			return meta, io.ErrUnexpectedEOF // the raw field never came
		}
		if err != nil {
			return meta, err
		}
		length, err := l.length(kind)
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
		number, kind, err := l.tag()
		if err != nil {
			return unexpected(err)
		}
		length, err := l.length(kind)
		if err != nil {
			return err
		}
		if length > l.left || length > MaxObject {
			return fmt.Errorf("protobuf: a list's field of %d bytes", length)
		}
		l.left -= length
		value, held, err := l.bytes(int(length))
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
		_, _ = l.r.Discard(held)
	}
	return nil
}

func (l *listReader) tag() (number, kind uint64, err error) {
	tag, err := binary.ReadUvarint(l)
	return tag >> 3, tag & 7, err
}

func (l *listReader) length(kind uint64) (uint64, error) {
	if kind != wireBytes {
		return 0, fmt.Errorf("protobuf: wire type %d in a list", kind)
	}
	n, err := binary.ReadUvarint(l)
	if n > 1<<62 {
		return 0, fmt.Errorf("protobuf: a list's field of %d bytes", n)
	}
	return n, unexpected(err)
}

// ReadByte makes the varints of tags and lengths count as read.
func (l *listReader) ReadByte() (byte, error) {
	if l.left > 0 {
		l.left--
	}
	return l.r.ReadByte()
}

// bytes returns the next n bytes, and how many of them are still to be discarded.
func (l *listReader) bytes(n int) (value []byte, held int, err error) {
	if n <= frameBuffer {
		value, err = l.r.Peek(n)
		return value, n, unexpected(err)
	}
	if cap(l.buf) < n {
		l.buf = make([]byte, n+n/4)
	}
	l.buf = l.buf[:n]
	_, err = io.ReadFull(l.r, l.buf)
	return l.buf, 0, unexpected(err)
}

// readJSONList reads the members of a JSON list from the stream, items one by one.
func readJSONList(br *bufio.Reader, t *table, visit func(Encoding, []byte) error) (metav1.ListMeta, error) {
	var meta metav1.ListMeta
	r := newJSONReader(br)
	err := r.each('{', '}', func() error {
		name, err := r.name()
		if err != nil {
			return err
		}
		switch {
		case name == "items" && t == nil:
			return readJSONItems(r, visit)
		case name == "items":
			return errNoTable
		case name == "rows" && t != nil:
			return readJSONItems(r, t.visit(visit))
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
	return meta, unexpected(err)
}

func readJSONItems(r *jsonReader, visit func(Encoding, []byte) error) error {
	first, err := r.next()
	if err != nil {
		return err
	}
	if first != '[' { // null stands for no items
		value, err := r.value()
		if err == nil && string(value) != "null" {
			err = fmt.Errorf("json: items are no list but begin with %q", first)
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
