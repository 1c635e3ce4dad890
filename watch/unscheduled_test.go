package watch

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"
)

// sockets returns both ends of a TCP connection, of which the client's is unscheduled.
func sockets(t *testing.T) (client net.Conn, server *net.TCPConn) {
	t.Helper()
	var listens net.ListenConfig
	listener, err := listens.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	dialed, err := unscheduled(new(net.Dialer).DialContext)(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dialed.Close(); _ = accepted.Close() })
	return dialed, accepted.(*net.TCPConn)
}

func TestUnscheduledReadsAreReads(t *testing.T) {
	t.Parallel()
	client, server := sockets(t)
	text := strings.Repeat("what the server sends, ", 10_000)
	go func() {
		for rest := text; rest != ""; {
			n := min(len(rest), 7_000)
			_, _ = io.WriteString(server, rest[:n])
			rest = rest[n:]
		}
		_ = server.CloseWrite()
	}()
	if err := iotest.TestReader(client, []byte(text)); err != nil {
		t.Error(err)
	}
}

func TestUnscheduledReadsFailAsReadsDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault func(client net.Conn, server *net.TCPConn) error
		want  error
	}{
		"the other end resets": {func(_ net.Conn, server *net.TCPConn) error {
			return errors.Join(server.SetLinger(0), server.Close())
		}, syscall.ECONNRESET},
		"the deadline passes": {func(client net.Conn, _ *net.TCPConn) error {
			return client.SetReadDeadline(time.Now())
		}, os.ErrDeadlineExceeded},
		"it was closed": {func(client net.Conn, _ *net.TCPConn) error {
			return client.Close()
		}, net.ErrClosed},
		"it is closed meanwhile": {func(client net.Conn, _ *net.TCPConn) error {
			time.AfterFunc(time.Millisecond, func() { _ = client.Close() })
			return nil
		}, net.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, server := sockets(t)
			if err := c.fault(client, server); err != nil {
				t.Fatal(err)
			}
			n, err := client.Read(make([]byte, 10))
			var op *net.OpError
			if n != 0 || !errors.Is(err, c.want) || !errors.As(err, &op) {
				t.Errorf("read %d, %v; want a net.OpError of %v", n, err, c.want)
			}
		})
	}
}
