package main

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// gcPercent is how much garbage may pile up for each byte in use. The heap is
// nearly all compressed text without pointers, which costs the collector little
// to pass over, so that running it often is cheaper than the memory is.
const gcPercent = 40

// While the first objects come in, much garbage is made beside a heap that is
// small still: a share of it would have the collector run all the time.
const (
	loadingGarbage = 16 << 20 // bytes that may pile up at least
	loadingPercent = 400      // whatever that comes to, it is no more
	loadingLook    = 100 * time.Millisecond
)

// tuneStart lets the first megabytes that a program allocates pile up: they would be
// collected three times.
func tuneStart() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(loadingPercent)
	}
}

// tuneLoading lets less and less of it pile up until the process is ready.
func (p *process) tuneLoading(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	tick := time.NewTicker(loadingLook)
	defer tick.Stop()
	defer debug.SetGCPercent(gcPercent)
	for was := loadingPercent; p.generations.Ready() != nil; {
		if now := percentFor(liveHeap()); now != was {
			debug.SetGCPercent(now)
			was = now
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// percentFor is how much garbage may pile up beside so many bytes in use while
// they become more.
func percentFor(live uint64) int {
	return int(min(max(100*loadingGarbage/max(live, 1), gcPercent), loadingPercent))
}

// liveHeap is how many bytes the last collection has found in use.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}

// limitMemory makes the Go runtime collect garbage more often before the limit of the
// container is reached.
func (p *process) limitMemory() {
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
