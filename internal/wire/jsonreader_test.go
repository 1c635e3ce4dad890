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
