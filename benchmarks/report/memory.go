package report

import (
	"math/rand/v2"
	"time"
)

const (
	chaseBytes = 16 << 20
	chaseLine  = 64 // bytes of a cache line
)

// chase goes from line to line of memory in an unpredictable order.
type chase struct {
	lines [][chaseLine / 4]uint32 // the first word of each is the line after it
	at    uint32
}

// newChase makes one round of all lines, by Sattolo's shuffle.
func newChase() *chase {
	c := &chase{lines: make([][chaseLine / 4]uint32, chaseBytes/chaseLine)}
	for i := range c.lines {
		c.lines[i][0] = uint32(i)
	}
	random := rand.New(rand.NewPCG(1, 1))
	for i := len(c.lines) - 1; i > 0; i-- {
		j := random.IntN(i)
		c.lines[i][0], c.lines[j][0] = c.lines[j][0], c.lines[i][0]
	}
	return c
}

// access returns the nanoseconds that each of n accesses took.
func (c *chase) access(n int) float64 {
	start, at := time.Now(), c.at
	for range n {
		at = c.lines[at][0]
	}
	c.at = at // so that the compiler keeps the loop
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

// memoryAccess is the time of a random access to 16 MiB of memory, in nanoseconds. On a shared machine the
// neighbours decide it, and with it what an event costs: compare figures of runs in which it is alike.
func memoryAccess() float64 {
	c := newChase()
	c.access(len(c.lines))
	return c.access(4 * len(c.lines))
}
