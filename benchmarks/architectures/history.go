package architectures

import (
	"sync"
	"time"
)

// firstRestarts is a count of restarts that no container of the cluster has by itself.
const firstRestarts = 1_000_000

// history is when the restarts of a container were counted up, one by one.
type history struct {
	mu    sync.Mutex
	times []time.Time // of firstRestarts and those that follow
}

// next is the count that comes next.
func (h *history) next() int32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return firstRestarts + int32(len(h.times))
}

// changed says that the count has become what next has returned.
func (h *history) changed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.times = append(h.times, time.Now())
}

// age is for how long a count was no longer true at a time; 0 when it still was.
func (h *history) age(count int32, at time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	overtaken := int(count) - firstRestarts + 1
	if overtaken >= len(h.times) {
		return 0
	}
	return max(0, at.Sub(h.times[overtaken]))
}
