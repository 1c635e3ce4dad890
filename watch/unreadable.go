package watch

import (
	"errors"
	"time"

	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/statefleet/statefleet/internal/wire"
)

// A frame that can't be read and whose length is sound costs its object only: the watch goes
// on. It may have been a deletion, so everything is listed once more, after a while. An object
// that stays unreadable must not have its kind listed all the time.
const (
	relistAfter = 10 * time.Second
	relistEvery = 30 * time.Minute
)

// errUnreadableFrame is why a watch is ended by itself.
var errUnreadableFrame = errors.New("a frame of the watch could not be read; the resource is listed anew")

// skips reports whether a watch may go on after a frame that gave this error.
func skips(ev wire.Event, err error) bool {
	if !errors.Is(err, wire.ErrFrame) {
		return false
	}
	switch ev.Type {
	case string(apiwatch.Added), string(apiwatch.Modified), string(apiwatch.Deleted):
		return true // else it may end a list, or say why the watch ends
	}
	return false
}

// relisting is a list of everything that is to come because a frame was unreadable. The
// mutex of the Source guards it.
type relisting struct {
	after time.Duration // how long it waits; tests change it
	timer *time.Timer   // nil when there is none to come
	due   bool          // the watch has to end now
	last  time.Time
}

// skipFrame counts a frame that can't be read, and has everything listed anew once.
func (s *Source) skipFrame(err error, initial bool) {
	s.unreadable(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if initial || s.stopped || s.relisting.timer != nil {
		return // a list that is under way skips it as well
	}
	s.relisting.timer = time.AfterFunc(s.relisting.wait(time.Now()), s.endForRelist)
}

// wait is how long to wait until everything is listed.
func (r *relisting) wait(now time.Time) time.Duration {
	if r.last.IsZero() {
		return r.after
	}
	return max(r.after, relistEvery-now.Sub(r.last))
}

// endForRelist ends the watch that is read, or the next one.
func (s *Source) endForRelist() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.relisting.timer == nil {
		return
	}
	s.relisting.due = true
	if s.stream != nil {
		s.stream.cancel()
	}
}

// relistDue reports whether the watch has to end so that everything is listed anew.
func (s *Source) relistDue() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.relisting.due
}

// relisted notes that everything was listed, or that nothing will be any more. The caller
// holds s.mu.
func (s *Source) relisted() {
	if r := &s.relisting; r.timer != nil {
		r.timer.Stop()
		*r = relisting{after: r.after, last: time.Now()}
	}
}

// unreadable counts an object or a frame that can't be read, and logs the first one.
func (s *Source) unreadable(err error) {
	s.counters.bad.Inc()
	s.loggedUnreadable.Do(func() {
		s.logger.Warn("an object from the API server is unreadable and is left out; further ones are only counted", "err", err)
	})
}
