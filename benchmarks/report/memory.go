package report

import (
	"math/rand/v2"
	"runtime"
	"time"
)

// memoryAccess returns the mean duration of a random access to 16 MiB of memory, in nanoseconds. On a shared
// machine it depends on other tenants, and the cost of an event depends on it. Compare only runs with similar
// values.
func memoryAccess() float64 {
	// Each element has the size of a cache line. Its first word is the index of the next one, in an order that goes
	// through all of them and that the CPU cannot predict.
	lines := make([][16]uint32, 1<<18)
	order := rand.New(rand.NewPCG(1, 1)).Perm(len(lines))
	for i, at := range order {
		lines[at][0] = uint32(order[(i+1)%len(order)])
	}
	const rounds = 4
	at, start := uint32(0), time.Now()
	for round := range 1 + rounds {
		if round == 1 { // the first round fills the caches
			start = time.Now()
		}
		for range lines {
			at = lines[at][0]
		}
	}
	took := time.Since(start)
	runtime.KeepAlive(at) // keeps the compiler from removing the loop
	return float64(took.Nanoseconds()) / float64(rounds*len(lines))
}
