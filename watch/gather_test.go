package watch

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/statefleet/statefleet/internal/faketime"
)

// gathered returns a connection that gathers, and its other end.
func gathered(t *testing.T, g *gathering) (conn, server net.Conn) {
	t.Helper()
	client, server := net.Pipe()
	conn, err := g.gathers(func(context.Context, string, string) (net.Conn, error) { return client, nil })(t.Context(), "tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(); _ = server.Close() })
	return conn, server
}

// reads reports when each of the reads of a connection comes back.
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

// send writes as the kernel does, which takes what nobody reads yet.
func send(server net.Conn, s string) { go func() { _, _ = io.WriteString(server, s) }() }

func TestEventsGather(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		var g gathering
		defer g.watch()()
		conn, server := gathered(t, &g)
		at := reads(conn)
		time.Sleep(gatherFor / 4)
		start := time.Now()
		send(server, "one that is alone")
		if got := (<-at).Sub(start); got != 0 {
			t.Errorf("an event after a silence was read after %v", got)
		}
		send(server, "another")
		if got, want := (<-at).Sub(start), gatherFor*3/4; got != want {
			t.Errorf("the event after that was read after %v, want %v", got, want)
		}
	})
}

// TestFrameInSegmentsAfterASilenceIsReadAtOnce: a frame takes several segments, and several reads.
func TestFrameInSegmentsAfterASilenceIsReadAtOnce(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		var g gathering
		defer g.watch()()
		conn, server := gathered(t, &g)
		at := reads(conn)
		send(server, "an event before")
		<-at
		for range 3 {
			time.Sleep(gatherFor * 5 / 4) // a silence, however short
			start := time.Now()
			send(server, "the first segment")
			<-at
			time.Sleep(gatherLeast / 2)
			send(server, "the second")
			if got := (<-at).Sub(start); got != gatherLeast/2 {
				t.Errorf("the second segment was read after %v, it came after %v", got, gatherLeast/2)
			}
			time.Sleep(2 * gatherLeast)
			send(server, "another event")
			<-at
			send(server, "and one after that")
			if got := (<-at).Sub(start); got < gatherFor/2 {
				t.Errorf("events do not gather again: one was read after %v", got)
			}
		}
	})
}

func TestNothingGathersWhileSomebodyWaits(t *testing.T) {
	for name, c := range map[string]struct{ watches, urgent bool }{
		"before there is a watch": {false, false},
		"while there is a list":   {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			faketime.Test(t, func(t *testing.T) {
				var g gathering
				if c.watches {
					defer g.watch()()
				}
				if c.urgent {
					defer g.hurry()()
				}
				conn, server := gathered(t, &g)
				at, start := reads(conn), time.Now()
				for range 3 {
					send(server, "answer")
					<-at
				}
				if got := time.Since(start); got != 0 {
					t.Errorf("three answers took %v", got)
				}
			})
		})
	}
}

func TestRequestEndsWaiting(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		var g gathering
		end := g.watch()
		conn, server := gathered(t, &g)
		at, start := reads(conn), time.Now()
		send(server, "event")
		<-at
		synctest.Wait() // it waits for others
		urgent := g.hurry()
		send(server, "answer")
		<-at
		if got := time.Since(start); got != 0 {
			t.Errorf("the answer took %v", got)
		}
		urgent()
		urgent()
		send(server, "event")
		<-at
		send(server, "event")
		<-at
		if got := time.Since(start); got == 0 {
			t.Error("nothing gathers after the request has ended")
		}
		end()
	})
}

// faucet is a connection on which so many bytes come each second, whoever reads.
type faucet struct {
	net.Conn
	rate  int
	start time.Time
	taken int
}

func (f *faucet) Read(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	n := min(len(p), int(float64(f.rate)*time.Since(f.start).Seconds())-f.taken)
	f.taken += n
	return n, nil
}

// What comes fast is waited for less, or not at all: there would be too much of it.
func TestMuchGathersForLess(t *testing.T) {
	for rate, most := range map[int]int{1_000_000: 13, 20_000_000: 100, 1_000_000_000: 2000} {
		faketime.Test(t, func(t *testing.T) {
			var g gathering
			defer g.watch()()
			conn := &gatheringConn{Conn: &faucet{rate: rate, start: time.Now()}, gathering: &g}
			reads, buf := 0, make([]byte, 1<<20)
			for end := time.Now().Add(time.Second); time.Now().Before(end); reads++ {
				if _, err := conn.Read(buf); err != nil {
					t.Fatal(err)
				}
			}
			if reads > most || reads < most/3 {
				t.Errorf("%d bytes a second took %d reads", rate, reads)
			}
		})
	}
}

func TestCloseEndsWaiting(t *testing.T) {
	faketime.Test(t, func(t *testing.T) {
		var g gathering
		defer g.watch()()
		conn, server := gathered(t, &g)
		at, start := reads(conn), time.Now()
		send(server, "event")
		<-at
		synctest.Wait()
		_ = conn.Close()
		for range at {
			t.Error("read of a closed connection")
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("the read of a closed connection ended after %v", got)
		}
	})
}
