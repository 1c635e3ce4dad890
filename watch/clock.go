package watch

import (
	"context"
	"time"

	"k8s.io/utils/clock"
)

// endingClock is the real time for a reflector, but waiting ends with ctx: the
// reflector sleeps out its backoff after a refused streamed list, for up to a
// minute, without looking at its context.
type endingClock struct {
	clock.RealClock
	ctx context.Context
}

// After implements clock.Clock.
func (c endingClock) After(d time.Duration) <-chan time.Time {
	fired := make(chan time.Time, 1)
	fire := func() {
		select {
		case fired <- time.Now():
		default:
		}
	}
	forget := context.AfterFunc(c.ctx, fire)
	time.AfterFunc(d, func() {
		forget()
		fire()
	})
	return fired
}
