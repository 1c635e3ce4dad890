package wire

import (
	"encoding/json"
	"errors"
	"io"
)

// jsonReader reads JSON values from a stream, of which none may be longer than
// MaxObject.
type jsonReader struct {
	*json.Decoder
	from *bounded
}

func newJSONReader(r io.Reader) *jsonReader {
	from := &bounded{Reader: r, left: MaxObject}
	return &jsonReader{json.NewDecoder(from), from}
}

// value decodes the next value. A decoder holds the whole of it first.
func (r *jsonReader) value(into any) error {
	r.from.left = MaxObject
	return r.Decode(into)
}

var errLong = errors.New("json: a value of more than 64 MiB")

// bounded reads no more than what is left.
type bounded struct {
	io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, errLong
	}
	n, err := b.Reader.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
