package watch

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// minLifetime is how long a request must last to be repeated without a pause.
	minLifetime = time.Second
	// maxShort is how many shorter requests in a row are repeated without a pause.
	maxShort = 3
)

// limiter spaces lists and watches that fail or that the API server ends immediately. One goroutine
// uses it.
type limiter struct {
	start  wait.Backoff // the options
	next   wait.Backoff
	began  time.Time // when the last request began, or its list was complete
	short  int       // short requests in a row
	failed bool      // the last request failed
}

// wait returns when the next request may be sent. It returns false if ctx has ended.
func (l *limiter) wait(ctx context.Context) bool {
	long := time.Since(l.began) >= minLifetime
	if l.short++; long {
		l.short = 0
	}
	if long && !l.failed {
		l.next = l.start
	}
	if l.failed || l.short > maxShort {
		Sleep(ctx, l.next.Step())
	}
	l.began = time.Now()
	return ctx.Err() == nil
}

// listed marks the end of a list. A watch that ends right after it counts as short, however long
// the list took. Otherwise lists of large resources would follow each other without a pause.
func (l *limiter) listed() { l.began = time.Now() }

// Sleep waits for d. It returns false if ctx ends before.
func Sleep(ctx context.Context, d time.Duration) bool {
	pause, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-pause.Done()
	return ctx.Err() == nil
}

// Spread returns a random duration from half of d to one and a half of it, so that processes that
// start together do not act at the same time.
func Spread(d time.Duration) time.Duration { return wait.Jitter(d/2, 2) }
