// Package batch reads quiet connections at intervals, so that one wake-up of the process handles
// the watch events of all of them. Where most events belong to other shards, waking up for each one
// costs a third of handling it.
package batch

import (
	"bufio"
	"context"
	"net"
	"sync"
	"time"
)

const (
	// Interval is how long events may wait to be read together: far less than the time between two
	// scrapes.
	Interval = 200 * time.Millisecond
	// maxBytes bounds the bytes that wait. More would leave the processor's caches before a read, so
	// connections that receive more are read after a half, a quarter and so on of the interval.
	maxBytes = 768 << 10
	// minInterval is the shortest interval that is worth a timer.
	minInterval = Interval / 64
	// minLowWater is the least number of bytes that a socket collects before it wakes the process while
	// a read is delayed. A socket's default buffer holds as much.
	minLowWater = 64 << 10
	// readBuffer is how much is read at once. Transports read 4 KiB, and most frames are larger: a
	// frame of 7 KiB took 6.2 us with reads of 4 KiB, 3.7 us with 16 KiB and 3.0 us with 32 KiB, which
	// is too much memory where each watch has a connection of its own.
	readBuffer = 16 << 10
)

// DialFunc opens a connection; rest.Config.Dial and net.Dialer.DialContext have this type.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Batcher delays the reads of the connections it has wrapped. The zero value is ready. Its methods
// may be called concurrently.
type Batcher struct {
	mu          sync.Mutex
	suspended   int           // calls of Suspend that are not undone
	interrupted chan struct{} // closed by Suspend; nil while no read is delayed
}

// Suspend reads everything without delay until resume is called, which may be called again.
func (b *Batcher) Suspend() (resume func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.suspended++
	if b.interrupted != nil {
		close(b.interrupted)
		b.interrupted = nil
	}
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.suspended--
	})
}

// interrupt returns a channel that Suspend closes; nil while reads are not to be delayed.
func (b *Batcher) interrupt() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.suspended > 0 {
		return nil
	}
	if b.interrupted == nil {
		b.interrupted = make(chan struct{})
	}
	return b.interrupted
}

// Wrap returns a dial function whose connections are read in batches and large pieces.
func (b *Batcher) Wrap(dial DialFunc) DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		batched := &conn{Conn: c, batcher: b, closed: make(chan struct{})}
		return &bufferedConn{batched, bufio.NewReaderSize(batched, readBuffer)}, nil
	}
}

// bufferedConn reads a connection in pieces of readBuffer.
type bufferedConn struct {
	net.Conn
	reader *bufio.Reader
}

// Read implements net.Conn.
func (c *bufferedConn) Read(p []byte) (int, error) { return c.reader.Read(p) }

// conn delays a read when the one before it emptied the socket. One goroutine reads it at a
// time, as any net.Conn below a transport.
type conn struct {
	net.Conn
	batcher   *Batcher
	drained   bool      // the last read did not fill its buffer
	quietEnd  time.Time // when data last arrived after a pause
	interval  time.Duration
	lowWater  int       // see setLowWater
	measured  time.Time // when interval and lowWater were last chosen
	bytes     int       // read since then
	closeOnce sync.Once
	closed    chan struct{}
}

// Read implements net.Conn. A single event is delivered immediately: a read that finds nothing
// returns with the first segment that arrives. The read after it is not delayed either, because
// that segment may be only a part of a frame.
func (c *conn) Read(p []byte) (int, error) {
	batched := c.drained && time.Since(c.quietEnd) >= minInterval
	if batched {
		c.wait()
	}
	begin := time.Now()
	n, err := c.Conn.Read(p)
	if now := time.Now(); batched && now.Sub(begin) >= minInterval {
		c.quietEnd = now
	}
	c.drained = n < len(p)
	c.bytes += n
	return n, err
}

// wait returns at the next multiple of the interval. All connections wait for the same moment, so
// that the process wakes up once.
func (c *conn) wait() {
	interrupt := c.batcher.interrupt()
	if interrupt == nil {
		return
	}
	now := time.Now()
	if c.adapt(now); c.interval < minInterval {
		return
	}
	setLowWater(c.Conn, c.lowWater)
	defer setLowWater(c.Conn, 1)
	next := time.NewTimer(now.Truncate(c.interval).Add(c.interval).Sub(now))
	defer next.Stop()
	select {
	case <-next.C:
	case <-interrupt:
	case <-c.closed:
	}
}

// adapt chooses the interval and the low-water mark by the bytes that arrived recently. The socket
// wakes the process before the interval has passed only when twice as many arrive. A higher mark
// enlarges the socket's buffer for good, but those of busy connections are as large anyway.
func (c *conn) adapt(now time.Time) {
	took := now.Sub(c.measured)
	if took < Interval {
		return
	}
	expected := func() float64 { return float64(c.bytes) * c.interval.Seconds() / took.Seconds() }
	c.interval = Interval
	for c.interval >= minInterval && expected() > maxBytes {
		c.interval /= 2
	}
	c.lowWater = min(max(int(2*expected()), minLowWater), maxBytes)
	c.measured, c.bytes = now, 0
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.closeOnce.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
