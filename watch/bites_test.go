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
	t.Parallel()
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

// spoonfuls is a connection that gives so much for each read.
type spoonfuls struct {
	net.Conn
	next int
}

func (s *spoonfuls) Read(p []byte) (int, error) { return min(len(p), s.next), nil }

func TestBufferSuitsWhatComes(t *testing.T) {
	t.Parallel()
	server := &spoonfuls{}
	conn := &biting{Conn: server}
	f := func(n, times, want int) {
		t.Helper()
		server.next = n
		for range times {
			if _, err := io.ReadFull(conn, make([]byte, min(n, max(len(conn.buf), firstBite)))); err != nil {
				t.Fatal(err)
			}
		}
		if len(conn.buf) != want {
			t.Errorf("%d reads of %d bytes: a buffer of %d, want %d", times, n, len(conn.buf), want)
		}
	}
	f(100, 1, firstBite)
	f(1<<20, 10, largeBite)
	f(100, smallBites-1, largeBite)
	f(largeBite/2, 1, largeBite)
	f(100, smallBites, largeBite/2)
	f(100, 100*smallBites, firstBite)
}

func TestConnectionInBitesThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	dial := inBites(func(context.Context, string, string) (net.Conn, error) { return nil, refused })
	if conn, err := dial(t.Context(), "tcp", ""); conn != nil || !errors.Is(err, refused) {
		t.Errorf("%v, %v", conn, err)
	}
}
