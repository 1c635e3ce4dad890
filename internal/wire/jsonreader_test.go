package wire

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// endless never stops.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

// A server that never ends a value must not have all of it held.
func TestEndlessJSONIsGivenUp(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 128 MiB; TestNoMoreIsReadThanIsLeft is the small one")
	}
	for name, read := range map[string]func(r io.Reader) error{
		`{"type":"ADDED","object":{"a":"`: func(r io.Reader) error {
			_, err := NewEventReader(r).Next()
			return err
		},
		`{"items":[{},{"a":"`: func(r io.Reader) error {
			_, err := ReadList(r, func(Encoding, []byte) error { return nil })
			return err
		},
	} {
		taken := &bounded{Reader: io.MultiReader(strings.NewReader(name), endless('a')), left: 2 * MaxObject}
		if err := read(taken); !errors.Is(err, errLong) {
			t.Errorf("%s: error %v", name, err)
		}
		if read := 2*MaxObject - taken.left; read > MaxObject+frameBuffer {
			t.Errorf("%s: %d bytes were read", name, read)
		}
	}
}

func TestNoMoreIsReadThanIsLeft(t *testing.T) {
	b := &bounded{Reader: endless('a'), left: 10}
	buf := make([]byte, 7)
	for _, want := range []int{7, 3} {
		if n, err := b.Read(buf); n != want || err != nil {
			t.Errorf("read %d bytes, error %v, want %d", n, err, want)
		}
	}
	if n, err := b.Read(buf); n != 0 || !errors.Is(err, errLong) {
		t.Errorf("read %d bytes, error %v, want %v", n, err, errLong)
	}
}

func TestEveryJSONValueMayBeAsLongAsTheBound(t *testing.T) {
	r := newJSONReader(strings.NewReader(`{"a":1}{"a":2}`))
	for range 2 {
		r.from.left = 0
		var into struct{ A int }
		if err := r.value(&into); err != nil || into.A == 0 {
			t.Errorf("%+v, error %v", into, err)
		}
	}
}
