package app

import (
	"math"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// By how much the heap grows between two garbage collections, in percent. The heap is nearly all
// compressed text without pointers, which the collector passes over at little cost, so that
// frequent collections are cheaper than memory. A replica that lists everything makes garbage faster
// and has less on its heap, so collections are less frequent until it holds everything.
const (
	startGCPercent  = 40
	steadyGCPercent = 20
)

// tuneMemory sets how often the Go runtime collects garbage: more often before the memory limit of
// the container is reached.
func (p *process) tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(startGCPercent)
	}
	if !p.AutoMemLimit {
		return
	}
	limit, err := memlimit.Set(memlimit.WithRatio(p.AutoMemLimitRatio))
	switch {
	case err != nil:
		p.logger.Warn("--auto-gomemlimit: no memory limit is set", "err", err)
	case limit < math.MaxInt64:
		p.logger.Info("memory limit of the Go runtime", "bytes", limit)
	}
}

// tuneSteadyMemory sets how often garbage is collected once the replica holds everything.
func (p *process) tuneSteadyMemory() {
	p.steady.Do(func() {
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(steadyGCPercent)
		}
	})
}

// withoutGC runs load, whose allocations hardly become garbage, with collections for the memory
// limit only.
func withoutGC(load func() bool) bool {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	return load()
}
