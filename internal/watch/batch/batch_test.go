package batch

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/statefleet/statefleet/internal/testing/faketime"
)

// wrapped returns a batched connection and its other end.
func wrapped(t *testing.T, b *Batcher) (conn, server net.Conn) {
	t.Helper()
	client, server := net.Pipe()
	conn, err := b.Wrap(func(context.Context, string, string) (net.Conn, error) { return client, nil })(t.Context(), "tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(); _ = server.Close() })
	return conn, server
}

// reads sends the time at which each read of a connection returns.
func reads(conn net.Conn) <-chan time.Time {
	at := make(chan time.Time)
	go func() {
		defer close(at)
		for buf := make([]byte, 100); ; {
			if _, err := conn.Read(buf); err != nil {
				return
			}
			at <- time.Now()
		}
	}()
	return at
}

// send writes without blocking, as the kernel does.
func send(server net.Conn, s string) { go func() { _, _ = io.WriteString(server, s) }() }

func TestReadsAreDelayedToTheInterval(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		var b Batcher
		conn, server := wrapped(t, &b)
		at := reads(conn)
		time.Sleep(Interval / 4)
		start := time.Now()
		send(server, "a single event")
		if got := (<-at).Sub(start); got != 0 {
			t.Errorf("an event after a pause was read after %v, want no delay", got)
		}
		send(server, "another")
		if got, want := (<-at).Sub(start), Interval*3/4; got != want {
			t.Errorf("the event after that was read after %v, want %v", got, want)
		}
	})
}

// TestFrameInSegmentsAfterAPauseIsReadAtOnce covers frames that take several segments and reads.
func TestFrameInSegmentsAfterAPauseIsReadAtOnce(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		var b Batcher
		conn, server := wrapped(t, &b)
		at := reads(conn)
		send(server, "an event before")
		<-at
		for range 3 {
			time.Sleep(Interval * 5 / 4) // a short pause
			start := time.Now()
			send(server, "the first segment")
			<-at
			time.Sleep(minInterval / 2)
			send(server, "the second")
			if got := (<-at).Sub(start); got != minInterval/2 {
				t.Errorf("the second segment was read after %v, want %v, when it arrived", got, minInterval/2)
			}
			time.Sleep(2 * minInterval)
			send(server, "another event")
			<-at
			send(server, "and one after that")
			if got := (<-at).Sub(start); got < Interval/2 {
				t.Errorf("a later event was read after %v, want a delay of %v or more", got, Interval/2)
			}
		}
	})
}

func TestSuspendReadsWithoutDelay(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		var b Batcher
		defer b.Suspend()()
		conn, server := wrapped(t, &b)
		at, start := reads(conn), time.Now()
		for range 3 {
			send(server, "answer")
			<-at
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("three answers took %v, want no delay", got)
		}
	})
}

func TestSuspendEndsADelay(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		var b Batcher
		conn, server := wrapped(t, &b)
		at, start := reads(conn), time.Now()
		send(server, "event")
		<-at
		synctest.Wait() // the next read is delayed
		resume := b.Suspend()
		send(server, "answer")
		<-at
		if got := time.Since(start); got != 0 {
			t.Errorf("the answer took %v, want no delay", got)
		}
		resume()
		resume()
		send(server, "event")
		<-at
		send(server, "event")
		<-at
		if got := time.Since(start); got == 0 {
			t.Error("reads are not delayed after resume")
		}
	})
}

// steadyConn is a connection that receives rate bytes each second, however often it is read.
type steadyConn struct {
	net.Conn
	rate  int
	start time.Time
	taken int
}

func (f *steadyConn) Read(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	n := min(len(p), int(float64(f.rate)*time.Since(f.start).Seconds())-f.taken)
	f.taken += n
	return n, nil
}

// TestBusyConnectionIsReadMoreOften checks that the interval shrinks with the rate of bytes.
func TestBusyConnectionIsReadMoreOften(t *testing.T) {
	for rate, most := range map[int]int{1_000_000: 13, 20_000_000: 100, 1_000_000_000: 2000} {
		faketime.Test(t, func(t *testing.T) {
			var b Batcher
			conn := &conn{Conn: &steadyConn{rate: rate, start: time.Now()}, batcher: &b}
			reads, buf := 0, make([]byte, 1<<20)
			for end := time.Now().Add(time.Second); time.Now().Before(end); reads++ {
				if _, err := conn.Read(buf); err != nil {
					t.Fatal(err)
				}
			}
			if reads > most || reads < most/3 {
				t.Errorf("%d bytes a second took %d reads, want %d to %d", rate, reads, most/3, most)
			}
		})
	}
}

// TestSocketCollectsTheBytesOfAnInterval checks that a socket does not wake the process for the bytes
// that are expected during an interval.
func TestSocketCollectsTheBytesOfAnInterval(t *testing.T) {
	for rate, want := range map[int]int{0: minLowWater, 100_000: minLowWater, 500_000: 200_000, 3_000_000: maxBytes, 1_000_000_000: maxBytes} {
		now := time.Now()
		c := conn{measured: now.Add(-2 * Interval), bytes: int(float64(rate) * 2 * Interval.Seconds())}
		if c.adapt(now); c.lowWater != want {
			t.Errorf("at %d bytes a second, the low-water mark is %d, want %d", rate, c.lowWater, want)
		}
	}
}

func TestCloseEndsADelay(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		var b Batcher
		conn, server := wrapped(t, &b)
		at, start := reads(conn), time.Now()
		send(server, "event")
		<-at
		synctest.Wait()
		_ = conn.Close()
		for range at {
			t.Error("a read of the closed connection succeeded")
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("the read of the closed connection ended after %v, want no delay", got)
		}
	})
}

// sizes records the buffer sizes of the reads of a connection.
type sizes struct {
	net.Conn
	sizes []int
}

func (s *sizes) Read(p []byte) (int, error) {
	s.sizes = append(s.sizes, len(p))
	return s.Conn.Read(p)
}

func TestConnectionIsReadInLargePieces(t *testing.T) {
	client, server := net.Pipe()
	defer func() { _ = client.Close(); _ = server.Close() }()
	below := &sizes{Conn: client}
	conn, err := new(Batcher).Wrap(func(context.Context, string, string) (net.Conn, error) { return below, nil })(t.Context(), "tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	send(server, "a frame of several parts")
	part := make([]byte, 6)
	for _, want := range []string{"a fram", "e of s", "everal", " parts"} {
		if n, err := conn.Read(part); err != nil || string(part[:n]) != want {
			t.Errorf("read %q with error %v, want %q", part[:n], err, want)
		}
	}
	if len(below.sizes) != 1 || below.sizes[0] != readBuffer {
		t.Errorf("got reads of %v bytes, want one of %d", below.sizes, readBuffer)
	}
}
