package architectures

import (
	"sync"
	"time"
)

// firstRestarts is the first restart count of the measurement. No container has so many restarts otherwise.
const firstRestarts = 1_000_000

// history records when the restart count of a container was incremented.
type history struct {
	mu    sync.Mutex
	times []time.Time // of firstRestarts and the following counts
}

// next returns the next count.
func (h *history) next() int32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return firstRestarts + int32(len(h.times))
}

// changed records that the count is now the one that next has returned.
func (h *history) changed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.times = append(h.times, time.Now())
}

// age returns how long before a time a count was replaced by the next one, or 0 if it was current at that time.
func (h *history) age(count int32, at time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	successor := int(count) - firstRestarts + 1
	if successor >= len(h.times) {
		return 0
	}
	return max(0, at.Sub(h.times[successor]))
}
