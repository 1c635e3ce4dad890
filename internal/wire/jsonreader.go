package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// jsonReader reads JSON values from a stream. No value may be longer than MaxObject, but each
// may be nested to any depth. The reader checks only what it needs to find the end of a value;
// the decoder checks the rest later.
type jsonReader struct {
	br   *bufio.Reader
	buf  []byte // the last value
	read int64  // bytes read from the stream so far
}

var (
	errValueTooLarge = fmt.Errorf("json: value must not exceed %d MiB", MaxObject>>20)
	errNoValue       = errors.New("json: expected a value")
)

// next skips white space and returns the byte after it, without consuming that byte.
func (r *jsonReader) next() (byte, error) {
	for {
		b, err := r.br.Peek(1)
		if err != nil {
			return 0, err
		}
		switch b[0] {
		case ' ', '\t', '\r', '\n':
			r.discard(1)
		default:
			return b[0], nil
		}
	}
}

func (r *jsonReader) discard(n int) {
	n, _ = r.br.Discard(n)
	r.read += int64(n)
}

// value returns the bytes of the next value, which are valid until the next call. It returns
// io.EOF if there is no further value.
func (r *jsonReader) value() ([]byte, error) {
	if cap(r.buf) > 1<<20 {
		r.buf = nil
	}
	r.buf = r.buf[:0]
	first, err := r.next()
	if err != nil {
		return nil, err
	}
	scan := valueScan{scalar: first != '{' && first != '[' && first != '"'}
	for {
		if r.br.Buffered() == 0 {
			if _, err := r.br.Peek(1); errors.Is(err, io.EOF) && scan.scalar && len(r.buf) > 0 {
				return r.buf, nil // a number may end with the stream
			} else if err != nil {
				return nil, unexpected(err)
			}
		}
		chunk, _ := r.br.Peek(r.br.Buffered())
		n, done := scan.end(chunk)
		if len(r.buf)+n > MaxObject {
			return nil, errValueTooLarge
		}
		r.buf = append(r.buf, chunk[:n]...)
		r.discard(n)
		if done && len(r.buf) == 0 {
			return nil, errNoValue
		}
		if done {
			return r.buf, nil
		}
	}
}

// valueScan finds the end of a value that arrives in parts.
type valueScan struct {
	scalar  bool // a number, true, false or null; it ends before the first delimiter
	depth   int
	quoted  bool // within a string
	escaped bool // after a backslash
}

// end returns how many bytes of b belong to the value, and whether it ends with them.
func (s *valueScan) end(b []byte) (n int, done bool) {
	for i, c := range b {
		switch {
		case s.escaped:
			s.escaped = false
		case s.quoted:
			s.escaped = c == '\\'
			s.quoted = c != '"'
			if !s.quoted && s.depth == 0 {
				return i + 1, true
			}
		case s.scalar:
			if isDelimiter(c) {
				return i, true
			}
		case c == '"':
			s.quoted = true
		case c == '{' || c == '[':
			s.depth++
		case c == '}' || c == ']':
			if s.depth--; s.depth <= 0 {
				return i + 1, true
			}
		}
	}
	return len(b), false
}

func isDelimiter(c byte) bool {
	switch c {
	case ',', '}', ']', ' ', '\n', '\t', '\r', ':', '"', '{', '[':
		return true
	}
	return false
}

// expect reads one of two characters, and returns which.
func (r *jsonReader) expect(one, other byte) (byte, error) {
	c, err := r.next()
	if err != nil {
		return 0, unexpected(err)
	}
	if c != one && c != other {
		return 0, fmt.Errorf("json: got %q, want %q or %q", c, one, other)
	}
	r.discard(1)
	return c, nil
}

// each calls read for each of the comma-separated items between two brackets.
func (r *jsonReader) each(begin, end byte, read func() error) error {
	if _, err := r.expect(begin, begin); err != nil {
		return err
	}
	c, err := r.next()
	if err != nil {
		return unexpected(err)
	}
	if c == end {
		r.discard(1)
		return nil
	}
	for {
		if err := read(); err != nil {
			return err
		}
		if c, err = r.expect(',', end); err != nil || c == end {
			return err
		}
	}
}

// name reads the name of a member and the colon after it.
func (r *jsonReader) name() (string, error) {
	quoted, err := r.value()
	if err != nil {
		return "", err
	}
	if quoted[0] != '"' {
		return "", errJSON
	}
	name, err := stringContent(quoted)
	if err != nil {
		return "", err
	}
	_, err = r.expect(':', ':')
	return string(name), err
}
