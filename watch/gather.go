package watch

import (
	"context"
	"net"
	"sync"
	"time"
)

const (
	// gatherFor is how long the events of watches that are quiet otherwise may gather
	// before they are read. To be woken for each of them costs as much as many of them
	// do, and no one looks at a page as often.
	gatherFor = 200 * time.Millisecond
	// gatherMost is how many bytes may gather. More would leave the processor's caches
	// before it is read, so what comes faster is read after a half, a quarter and so on
	// of gatherFor.
	gatherMost = 768 << 10
	// gatherLeast is the shortest time that is worth waiting.
	gatherLeast = gatherFor / 64
)

// gathering says when connections are read. Nothing gathers while somebody waits
// for an answer or for a list, and nothing before there is a watch. The zero value
// is ready; safe for concurrent use.
type gathering struct {
	mu      sync.Mutex
	watches int           // that are past their initial events
	urgent  int           // requests and lists that somebody waits for
	calm    chan struct{} // closed when something gets urgent; nil while nobody waits for that
}

// hurry has everything read at once until end is called, which may be called again.
func (g *gathering) hurry() (end func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.urgent++
	if g.calm != nil {
		close(g.calm)
		g.calm = nil
	}
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.urgent--
	})
}

// watch notes a watch that is past its initial events until end is called, which may be called again.
func (g *gathering) watch() (end func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.watches++
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.watches--
	})
}

// urged returns what is closed when nothing is to gather any more; nil if nothing
// is to gather now.
func (g *gathering) urged() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.watches == 0 || g.urgent > 0 {
		return nil
	}
	if g.calm == nil {
		g.calm = make(chan struct{})
	}
	return g.calm
}

// gathers makes the connections of dial such ones.
func (g *gathering) gathers(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &gatheringConn{Conn: conn, gathering: g, water: lowWaterOf(conn), closed: make(chan struct{})}, nil
	}
}

// gatheringConn is a connection whose reads wait, once they have taken all that
// had come. Like what it wraps it is read by one goroutine at a time.
type gatheringConn struct {
	net.Conn
	*gathering
	water   lowWater
	drained bool          // the last read did not fill its buffer
	began   time.Time     // when a silence ended, the last time
	every   time.Duration // from one moment at which it is read to the next; below gatherLeast it is read at once
	since   time.Time
	bytes   int // read since then
	closing sync.Once
	closed  chan struct{}
}

// Read implements [net.Conn]. A single event is delivered immediately: a read that finds nothing
// to read returns with the first segment that comes, and the next one does not wait for further
// events, since that segment may not hold all of a frame.
func (c *gatheringConn) Read(p []byte) (int, error) {
	gathers := c.drained && time.Since(c.began) >= gatherLeast
	if gathers {
		c.wait()
	}
	begin := time.Now()
	n, err := c.Conn.Read(p)
	if now := time.Now(); gathers && now.Sub(begin) >= gatherLeast {
		c.began = now // after a silence
	}
	c.drained = n < len(p)
	c.bytes += n
	return n, err
}

// measure finds out how much comes.
func (c *gatheringConn) measure(now time.Time) {
	took := now.Sub(c.since)
	if took < gatherFor {
		return
	}
	c.every = gatherFor
	for c.every >= gatherLeast && float64(c.bytes)*c.every.Seconds() > gatherMost*took.Seconds() {
		c.every /= 2
	}
	c.since, c.bytes = now, 0
}

// wait waits until the next moment at which connections are read. That is the same
// one for all, so that the process is woken once.
func (c *gatheringConn) wait() {
	urged := c.urged()
	if urged == nil {
		return
	}
	now := time.Now()
	if c.measure(now); c.every < gatherLeast {
		return
	}
	next := time.NewTimer(now.Truncate(c.every).Add(c.every).Sub(now))
	defer next.Stop()
	c.water.set(gatherMost)
	defer c.water.set(1)
	select {
	case <-next.C:
	case <-urged:
	case <-c.closed:
	}
}

// Close implements [net.Conn].
func (c *gatheringConn) Close() error {
	c.closing.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
