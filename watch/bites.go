package watch

import (
	"context"
	"net"
)

// How much of a connection is read at once: little while little comes, so that
// the many watches of quiet kinds take little memory.
const (
	firstBite = 4 << 10
	largeBite = 32 << 10
	// smallBites is how many reads in a row that fill little of the buffer make it
	// smaller again: a list makes it large, on a connection that is quiet afterwards.
	smallBites = 16
)

// biting is a connection that is read in few large bites. The transport reads 4 KiB
// at a time, and most frames are larger. Like what it wraps it is read by one
// goroutine at a time.
type biting struct {
	net.Conn
	buf  []byte
	rest []byte // of buf, not handed out yet
	few  int    // reads in a row that filled a quarter at most
}

// dialFunc opens connections, as the one of [rest.Config] does.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// inBites makes the connections of dial such ones.
func inBites(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &biting{Conn: conn}, nil
	}
}

// Read implements [net.Conn].
func (c *biting) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		if len(c.buf) == 0 {
			c.buf = make([]byte, firstBite)
		}
		n, err := c.Conn.Read(c.buf)
		if n == 0 {
			return 0, err
		}
		c.rest = c.buf[:n] // an error comes again with the next read
		c.fit(n)
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// fit makes the buffer suit what comes, after a read of n bytes. What is not handed
// out yet keeps the old one.
func (c *biting) fit(n int) {
	size := len(c.buf)
	if c.few++; n > size/4 {
		c.few = 0
	}
	switch {
	case n == size && size < largeBite:
		c.buf = make([]byte, 2*size)
	case c.few >= smallBites && size > firstBite:
		c.buf, c.few = make([]byte, size/2), 0
	}
}
