package watch

import (
	"errors"
	"time"

	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/statefleet/statefleet/internal/wire"
)

// A frame that cannot be decoded, but whose length is sound, costs its object only: the watch
// continues. It may have been a deletion, so everything is listed once more after a while. An object that
// stays undecodable must not cause one list after the other.
const (
	relistAfter = 10 * time.Second
	relistEvery = 30 * time.Minute
)

// isBadFrame reports whether a watch may continue after this error. Other frames may end a list or say
// why the watch ends.
func isBadFrame(event wire.Event, err error) bool {
	if !errors.Is(err, wire.ErrFrame) {
		return false
	}
	switch apiwatch.EventType(event.Type) {
	case apiwatch.Added, apiwatch.Modified, apiwatch.Deleted:
		return true
	}
	return false
}

// skipFrame counts a frame that cannot be decoded, and schedules one list. During a streamed list
// it only counts, because a list would skip the object as well.
func (r *Reflector) skipFrame(err error, initial bool) {
	r.decodeFailed(err)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !initial && r.relist == nil {
		r.relist = time.AfterFunc(r.untilRelist(time.Now()), r.requireList)
	}
}

// untilRelist returns when a list is due; without an earlier one, the last was long ago.
func (r *Reflector) untilRelist(now time.Time) time.Duration {
	return max(r.relistAfter, relistEvery-now.Sub(r.relisted))
}

// stopRelist stops the timer, because a list begins. The caller holds r.mu.
func (r *Reflector) stopRelist() {
	if r.relist != nil {
		r.relist.Stop()
		r.relist, r.relisted = nil, time.Now()
	}
}

// decodeFailed counts an object or a frame that cannot be decoded, and logs the first one.
func (r *Reflector) decodeFailed(err error) {
	r.counters.bad.Inc()
	r.logFirstDecodeError.Do(func() {
		r.logger.Warn("cannot decode an object from the API server; it is left out, and further ones are only counted", "err", err)
	})
}
