package watch

import (
	"context"
	"math/rand/v2"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// minLifetime is how long a request lasts that is worth repeating at once.
	minLifetime = time.Second
	// maxShort is how many shorter ones in a row are repeated at once.
	maxShort = 3
)

// limiter spaces lists and watches that fail, and those that an API server ends as soon as they
// have begun. One goroutine uses it.
type limiter struct {
	start  wait.Backoff // the options
	next   wait.Backoff
	began  time.Time // when the last request began, or its list was complete
	short  int       // short requests in a row
	failed bool      // the last request failed
}

// wait returns when the next request may be sent, and reports whether ctx goes on.
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

// listed notes that a list is complete. However long it took, a watch that ends right after it is a
// short one: without a pause, lists of large resources would follow each other.
func (l *limiter) listed() { l.began = time.Now() }

// Sleep waits for d or until ctx ends, and reports whether ctx goes on.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// Spread returns a random duration from half of d to one and a half of it. Processes that start
// together and wait by it do not go on together.
func Spread(d time.Duration) time.Duration { return d/2 + time.Duration(rand.Float64()*float64(d)) }
