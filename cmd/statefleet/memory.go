package main

import (
	"math"
	"os"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// gcPercent is how much garbage may pile up for each byte in use. The heap is
// nearly all compressed text without pointers, which costs the collector little
// to pass over, so that running it often is cheaper than the memory is.
const gcPercent = 40

// tuneMemory makes the Go runtime collect garbage more often than by default,
// unless the environment says otherwise, and still more often before the limit
// of the container is reached.
func (p *process) tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if !p.autoMemLimit {
		return
	}
	limit, err := memlimit.Set(memlimit.WithRatio(p.autoMemLimitFraction))
	switch {
	case err != nil:
		p.logger.Warn("--auto-gomemlimit: no memory limit is set", "err", err)
	case limit < math.MaxInt64:
		p.logger.Info("memory limit of the Go runtime", "bytes", limit)
	}
}
