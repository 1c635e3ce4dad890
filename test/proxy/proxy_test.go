package proxy_test

import (
	"bufio"
	"io"
	"net"
	"testing"

	"go.uber.org/goleak"

	"github.com/statefleet/statefleet/test/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo starts a server that sends back all bytes, until the test ends. It returns its address.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return listener.Addr().String()
}

// send sends a line over a new connection, waits for the answer, and returns a reader of the connection.
func send(t *testing.T, address, line string) *bufio.Reader {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	reader := bufio.NewReader(conn)
	if _, err := io.WriteString(conn, line); err != nil {
		t.Fatal(err)
	}
	if got, err := reader.ReadString('\n'); err != nil || got != line {
		t.Fatalf("got %q, error %v; want %q", got, err, line)
	}
	return reader
}

func TestCutEndsConnectionsAndAcceptsNewOnes(t *testing.T) {
	p := proxy.Start(t, echo(t))
	first := send(t, p.Address(), "one\n")
	second := send(t, p.Address(), "two\n")
	if n := p.Cut(); n != 2 {
		t.Errorf("got %d closed connections, want 2", n)
	}
	for _, reader := range []*bufio.Reader{first, second} {
		if line, err := reader.ReadString('\n'); err == nil {
			t.Errorf("got %q from a closed connection, want an error", line)
		}
	}
	send(t, p.Address(), "three\n")
	if got := p.Received(); got != int64(len("one\ntwo\nthree\n")) {
		t.Errorf("got %d bytes, want those of the three lines", got)
	}
}

func TestRefuseAcceptsNoConnectionUntilItIsRevoked(t *testing.T) {
	p := proxy.Start(t, echo(t))
	p.Refuse(true)
	conn, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("got %d bytes from a refused connection, want an error", n)
	}
	p.Refuse(false)
	send(t, p.Address(), "again\n")
}
