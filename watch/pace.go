package watch

import (
	"context"
	"math/rand/v2"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// What a watch has to last for not to be hasty, and how many hasty ones in a row
// are put up with.
const (
	hasty     = time.Second
	tolerated = 3
)

// pace keeps an API server that ends each watch as soon as it has begun, or
// answers each with 410, from being asked without a pause. client-go waits only
// after errors of some kinds, and when a watch has brought nothing at all. It is
// used by one goroutine.
type pace struct {
	backoff wait.Backoff // what it starts from
	next    wait.Backoff
	last    time.Time // when a watch was asked for
	row     int       // hasty watches
}

// wait waits until the next watch may be asked for, or ctx ends.
func (p *pace) wait(ctx context.Context) {
	if time.Since(p.last) >= hasty {
		p.row, p.next = 0, p.backoff
	} else if p.row++; p.row >= tolerated {
		Pause(ctx, p.next.Step())
	}
	p.last = time.Now()
}

// Spread returns a random time span from a half to one and a half of d. Processes that
// start together and wait by it do not go on together.
func Spread(d time.Duration) time.Duration { return d/2 + time.Duration(rand.Float64()*float64(d)) }

// Pause waits, as between two questions to an API server, and reports whether ctx goes on.
func Pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
