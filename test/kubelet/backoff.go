package kubelet

import (
	"context"
	"time"
)

// A process that has ended is started again at once. From the second time on the pod waits, twice as long each time. A
// kubelet begins with 10 s and ends with 5 minutes.
const (
	firstBackOff   = 500 * time.Millisecond
	longestBackOff = 4 * time.Second
)

// pause waits until another process may be started in the place of one that has ended. It returns false if none may be.
func (p *pod) pause(ctx context.Context, now state) bool {
	if !p.wait(ctx, p.k.o.Notice) {
		return false
	}
	p.tell(ctx, now)
	if now.restarts == 0 {
		return true
	}
	now.backOff = true
	p.tell(ctx, now)
	return p.wait(ctx, min(longestBackOff, firstBackOff<<min(now.restarts-1, 10)))
}

// wait returns false if the pod has ended before the time was over.
func (p *pod) wait(ctx context.Context, long time.Duration) bool {
	select {
	case <-time.After(long):
		return true
	case <-p.told:
		p.remove(ctx)
	case <-ctx.Done():
	}
	return false
}
