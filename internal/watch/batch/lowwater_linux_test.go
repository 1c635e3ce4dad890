package batch

import (
	"net"
	"syscall"
	"testing"
	"time"
)

func lowWaterOf(t *testing.T, c net.Conn) (bytes int) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		bytes, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT)
	}); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

// TestSocketCollectsWhileAReadIsDelayed checks the low-water mark of the socket during and after a delay.
func TestSocketCollectsWhileAReadIsDelayed(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	socket, err := new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	c := &conn{Conn: socket, batcher: new(Batcher), closed: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for t.Context().Err() == nil {
			select {
			case <-c.closed:
				return
			default:
				c.wait()
			}
		}
	}()
	deadline := time.Now().Add(10 * time.Second)
	for lowWaterOf(t, socket) != minLowWater {
		if time.Now().After(deadline) {
			t.Fatalf("the low-water mark is never %d", minLowWater)
		}
	}
	close(c.closed)
	<-done
	if got := lowWaterOf(t, socket); got != 1 {
		t.Errorf("after a delay, the low-water mark is %d, want 1", got)
	}
}
