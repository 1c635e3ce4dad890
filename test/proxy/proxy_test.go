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

// echo answers each line with itself until the test ends.
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

// say sends a line over a new connection, and returns what reads from that when the answer has come.
func say(t *testing.T, address, line string) *bufio.Reader {
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
		t.Fatalf("got %q, %v", got, err)
	}
	return reader
}

func TestCutEndsConnectionsAndTakesNewOnes(t *testing.T) {
	p := proxy.Start(t, echo(t))
	first := say(t, p.Address(), "one\n")
	second := say(t, p.Address(), "two\n")
	if n := p.Cut(); n != 2 {
		t.Errorf("%d connections cut, want 2", n)
	}
	for _, reader := range []*bufio.Reader{first, second} {
		if line, err := reader.ReadString('\n'); err == nil {
			t.Errorf("a connection that was cut says %q", line)
		}
	}
	say(t, p.Address(), "three\n")
	if got := p.Received(); got != int64(len("one\ntwo\nthree\n")) {
		t.Errorf("%d bytes counted", got)
	}
}

func TestRefuseTakesNoConnectionUntilItIsTakenBack(t *testing.T) {
	p := proxy.Start(t, echo(t))
	p.Refuse(true)
	conn, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes read from a connection that is refused", n)
	}
	p.Refuse(false)
	say(t, p.Address(), "again\n")
}
