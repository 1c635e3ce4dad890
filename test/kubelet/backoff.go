package kubelet

import (
	"context"
	"time"
)

// The first restart of a process is immediate. The second one waits minBackOff, and each later one twice as long as the
// one before, up to maxBackOff. A kubelet waits 10 s at first and 5 minutes at most.
const (
	minBackOff = 500 * time.Millisecond
	maxBackOff = 4 * time.Second
)

// waitToRestart waits until the process may be started again after it has ended. It returns false if the pod or the
// test has ended meanwhile.
func (p *pod) waitToRestart(ctx context.Context, now state) bool {
	if !p.wait(ctx, p.k.o.Notice) {
		return false
	}
	p.writeStatus(ctx, now)
	if now.restarts == 0 {
		return true
	}
	now.backOff = true
	p.writeStatus(ctx, now)
	return p.wait(ctx, min(maxBackOff, minBackOff<<min(now.restarts-1, 10)))
}

// wait waits for d. It returns false if the pod is to stop, or the test ends, before that. In the first case it deletes
// the pod.
func (p *pod) wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-p.stopRequest:
		p.remove(ctx)
	case <-ctx.Done():
	}
	return false
}
