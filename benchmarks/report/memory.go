package report

import (
	"math/rand/v2"
	"time"
)

const (
	chaseBytes = 16 << 20
	chaseLine  = 64 // bytes of a cache line
)

// chase reads cache lines in an order that the CPU cannot predict.
type chase struct {
	lines [][chaseLine / 4]uint32 // the first word of each is the index of the next one
	at    uint32
}

// newChase links all lines to one cycle, by Sattolo's shuffle.
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

// access reads n lines, and returns the mean time per line in nanoseconds.
func (c *chase) access(n int) float64 {
	start, at := time.Now(), c.at
	for range n {
		at = c.lines[at][0]
	}
	c.at = at // keeps the compiler from removing the loop
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

// memoryAccess returns the mean duration of a random access to 16 MiB of memory, in nanoseconds. On a shared
// machine it depends on other tenants, and the cost of an event depends on it. Compare only runs with similar
// values.
func memoryAccess() float64 {
	c := newChase()
	c.access(len(c.lines))
	return c.access(4 * len(c.lines))
}
