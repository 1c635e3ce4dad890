package app

import (
	"math"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// gcPercent is by how much the heap grows between two garbage collections. The heap is nearly all
// compressed text without pointers, which the collector passes over at little cost, so that
// frequent collections are cheaper than memory.
const gcPercent = 40

// tuneMemory sets how often the Go runtime collects garbage: more often before the memory limit of
// the container is reached.
func (p *process) tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
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

// withoutGC runs load, whose allocations hardly become garbage, with collections for the memory
// limit only.
func withoutGC(load func() bool) bool {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	return load()
}
