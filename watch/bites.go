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
)

// biting is a connection that is read in few large bites. The transport reads 4 KiB
// at a time, and most frames are larger. Like what it wraps it is read by one
// goroutine at a time.
type biting struct {
	net.Conn
	buf  []byte
	rest []byte // of buf, not handed out yet
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
		if n == len(c.buf) && n < largeBite {
			c.buf = make([]byte, 2*n) // rest keeps the old one
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}
