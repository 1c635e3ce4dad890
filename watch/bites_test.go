package watch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
)

// dripping is a connection that gives at most so many bytes for each read.
type dripping struct {
	net.Conn
	from io.Reader
	most int
}

func (d dripping) Read(p []byte) (int, error) { return d.from.Read(p[:min(len(p), d.most)]) }

func TestConnectionInBitesBringsEverything(t *testing.T) {
	var want []byte // more than any buffer, and nowhere the same
	for i := range 1 << 17 {
		want = append(want, byte(i), byte(i>>8), byte(i>>16), '.')
	}
	for _, most := range []int{1000, firstBite, 1 << 20} {
		dial := inBites(func(context.Context, string, string) (net.Conn, error) {
			return dripping{from: bytes.NewReader(want), most: most}, nil
		})
		conn, err := dial(t.Context(), "tcp", "")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("reads of %d: %d bytes of %d, or others; %v", most, len(got), len(want), err)
		}
	}
}

func TestConnectionInBitesThatCannotBeOpened(t *testing.T) {
	refused := errors.New("refused")
	dial := inBites(func(context.Context, string, string) (net.Conn, error) { return nil, refused })
	if conn, err := dial(t.Context(), "tcp", ""); conn != nil || !errors.Is(err, refused) {
		t.Errorf("%v, %v", conn, err)
	}
}
