package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// endless is a reader without an end. It counts the bytes that were read.
type endless struct {
	char byte
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.char
	}
	e.read += len(p)
	return len(p), nil
}

func newJSONReader(r io.Reader) *jsonReader {
	return &jsonReader{br: bufio.NewReaderSize(r, frameBuffer)}
}

// If a server never ends a value, the reader must not keep all of it in memory.
func TestEndlessJSONIsGivenUp(t *testing.T) {
	for begin, read := range map[string]func(r io.Reader) error{
		`{"type":"ADDED","object":{"a":"`: func(r io.Reader) error {
			_, err := NewEventReader(r).Next()
			return err
		},
		`{"items":[{},{"a":"`: func(r io.Reader) error {
			_, err := ReadList(r, func(Encoding, []byte) error { return nil })
			return err
		},
	} {
		rest := &endless{char: 'a'}
		if err := read(io.MultiReader(strings.NewReader(begin), rest)); !errors.Is(err, errValueTooLarge) {
			t.Errorf("%s: error %v, want %v", begin, err, errValueTooLarge)
		}
		if rest.read > MaxObject+2*frameBuffer {
			t.Errorf("%s: %d bytes were read, want at most %d", begin, rest.read, MaxObject+2*frameBuffer)
		}
	}
}

func TestJSONValueMayHaveTheLargestSize(t *testing.T) {
	for n, want := range map[int]error{MaxObject: nil, MaxObject + 1: errValueTooLarge} {
		text := `"` + strings.Repeat("x", n-2) + `"`
		if got, err := newJSONReader(strings.NewReader(text)).value(); !errors.Is(err, want) || err == nil && len(got) != n {
			t.Errorf("%d bytes: got %d bytes, error %v, want error %v", n, len(got), err, want)
		}
	}
}

func TestEndOfEachJSONValueIsFound(t *testing.T) {
	values := []string{`{}`, `{"a":"}\"]"}`, `[]`, `[1,[2,{"b":"\\"}]]`, `"a\"b"`, `""`, `17`, `-1.5e3`, `true`, `null`}
	for _, first := range values {
		for _, second := range values {
			r := newJSONReader(iotest.OneByteReader(strings.NewReader(" " + first + "\n\t" + second)))
			for _, want := range []string{first, second} {
				if got, err := r.value(); err != nil || string(got) != want {
					t.Errorf("got %s, error %v, want %s", got, err, want)
				}
			}
			if got, err := r.value(); !errors.Is(err, io.EOF) {
				t.Errorf("after the last value: got %s, error %v, want io.EOF", got, err)
			}
		}
	}
}

// API servers accept custom resources that are too deep for the decoders of the standard library.
func TestDeepObjectsAreReadLikeOthers(t *testing.T) {
	for _, depth := range []int{1_200, 100_000, 1_000_000} {
		deep := `{"apiVersion":"a/v1","spec":` + strings.Repeat(`{"a":[`, depth) + strings.Repeat("]}", depth) + `,"metadata":{"name":"deep","uid":"u"}}`
		const plain = `{"metadata":{"name":"plain","uid":"v"}}`
		events := NewEventReader(strings.NewReader(`{"type":"ADDED","object":` + deep + "}\n" + `{"type":"ADDED","object":` + plain + "}\n"))
		var names []string
		addName := func(enc Encoding, object []byte) error {
			meta, err := ReadMeta(enc, object)
			names = append(names, string(meta.Name))
			return err
		}
		for range 2 {
			ev, err := events.Next()
			if err == nil {
				err = addName(ev.Encoding, ev.Object)
			}
			if err != nil {
				t.Fatalf("%d levels, event: %v", depth, err)
			}
		}
		list := `{"kind":"List","metadata":{"resourceVersion":"7"},"items":[` + deep + "," + plain + `]}`
		meta, err := ReadList(strings.NewReader(list), addName)
		if err != nil || meta.ResourceVersion != "7" {
			t.Errorf("%d levels, list: got metadata %+v, error %v, want version 7", depth, meta, err)
		}
		if got := strings.Join(names, " "); got != "deep plain deep plain" {
			t.Errorf("%d levels: got objects %s, want deep plain deep plain", depth, got)
		}
	}
}

func TestLargeJSONValuesAreNotKept(t *testing.T) {
	r := newJSONReader(bytes.NewReader(append(bytes.Repeat([]byte("1"), 2<<20), " 2 3"...)))
	for range 2 {
		if _, err := r.value(); err != nil {
			t.Fatal(err)
		}
	}
	if cap(r.buf) > 1<<20 {
		t.Errorf("the reader keeps %d bytes, want at most %d", cap(r.buf), 1<<20)
	}
}
