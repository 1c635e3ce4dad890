//go:build linux && !386

package watch

import (
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// waiting is a reader of a socket that is woken as its low-water mark says.
type waiting struct {
	raw   syscall.RawConn
	woken chan int // how many bytes were there when it was woken
}

func newWaiting(t *testing.T, conn net.Conn) *waiting {
	t.Helper()
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	w, started := &waiting{raw, make(chan int, 1)}, make(chan struct{})
	go func() {
		defer close(w.woken)
		first := true
		_ = raw.Read(func(fd uintptr) (done bool) {
			if first {
				first = false
				close(started)
				return false
			}
			w.woken <- there(fd)
			return true
		})
	}()
	<-started
	return w
}

// there returns how many bytes can be read of a socket.
func there(fd uintptr) int {
	n, _, _ := syscall.Recvfrom(int(fd), make([]byte, 10_000), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return max(n, 0)
}

// holds waits until so many bytes are there.
func (w *waiting) holds(t *testing.T, want int) {
	t.Helper()
	for n := 0; n != want; time.Sleep(time.Millisecond) {
		if err := w.raw.Control(func(fd uintptr) { n = there(fd) }); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLittleDoesNotWake(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wake func(conn net.Conn, server *net.TCPConn)
		want int
	}{
		"what is missing comes": {func(_ net.Conn, server *net.TCPConn) {
			_, _ = io.WriteString(server, strings.Repeat("x", 990))
		}, 1000},
		"little is enough again": {func(conn net.Conn, _ *net.TCPConn) { lowWaterOf(conn).set(1) }, 10},
		"the connection ends":    {func(_ net.Conn, server *net.TCPConn) { _ = server.Close() }, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, server := sockets(t)
			lowWaterOf(conn).set(1000)
			w := newWaiting(t, conn)
			_, _ = io.WriteString(server, strings.Repeat("x", 10))
			w.holds(t, 10)
			select {
			case n := <-w.woken:
				t.Fatalf("woken for %d bytes", n)
			default:
			}
			c.wake(conn, server)
			if got := <-w.woken; got != c.want {
				t.Errorf("%d bytes were there when it was woken, want %d", got, c.want)
			}
		})
	}
}

// A connection asks for much only while its events gather.
func TestGatheringConnIsNotWokenWhileItWaits(t *testing.T) {
	t.Parallel()
	client, server := sockets(t)
	var g gathering
	defer g.watch()()
	conn := &gatheringConn{Conn: client, gathering: &g, water: lowWaterOf(client), closed: make(chan struct{})}
	raw, err := client.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	mark := func() (bytes int) {
		if err := raw.Control(func(fd uintptr) {
			bytes, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT)
		}); err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	at := reads(conn)
	for tries := 0; mark() == 1; tries++ { // the kernel may allow less than what is asked for
		if tries == 10_000 {
			t.Fatal("it never waits for more than a byte")
		}
		_, _ = io.WriteString(server, "event")
		select {
		case <-at:
		case <-time.After(time.Millisecond):
		}
	}
	defer g.hurry()()
	_, _ = io.WriteString(server, "answer")
	<-at
	if got := mark(); got != 1 {
		t.Errorf("%d bytes wake it when its read has come back, want 1", got)
	}
	_ = conn.Close()
	for range at {
	}
}
