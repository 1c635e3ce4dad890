package report

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"time"
)

const (
	chaseBytes = 16 << 20
	chaseLine  = 64 // bytes of a cache line
	rest       = 50 * time.Millisecond
	restedFor  = 5000 // accesses after each rest
	rests      = 21
)

// MemoryAccess is what a random access to 16 MiB of memory takes, in nanoseconds. On a
// machine that is shared the neighbours decide, and what is woken often, as by events,
// costs more where Rested is more: figures of two runs compare only where it is alike.
type MemoryAccess struct {
	Busy   float64 // one after the other
	Rested float64 // after 50 ms in which nothing was accessed; the median
}

// chase goes from line to line of memory in an order that nothing can foresee.
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
	c.at = at // so that the loop is not for nothing
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

// observeMemory takes a second and a half.
func observeMemory() MemoryAccess {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := newChase()
	c.access(len(c.lines))
	m := MemoryAccess{Busy: c.access(4 * len(c.lines))}
	var rested []float64
	for range rests {
		time.Sleep(rest)
		rested = append(rested, c.access(restedFor))
	}
	slices.Sort(rested)
	m.Rested = rested[len(rested)/2]
	return m
}
