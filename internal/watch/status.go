package watch

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/statefleet/statefleet/internal/wire"
)

// Phase is how far a Reflector has come.
type Phase string

// The phases. Forbidden and Absent are retried forever; they are no reason to
// withhold the metrics of other resources.
const (
	Pending   Phase = "pending"   // no list was complete yet, or none since a refusal
	Synced    Phase = "synced"    // a list was complete, and is followed
	Forbidden Phase = "forbidden" // the API server refuses the list or watch
	Absent    Phase = "absent"    // the API server does not have the resource, or not in the form that is asked for
)

// Phases returns all phases.
func Phases() []Phase { return []Phase{Pending, Synced, Forbidden, Absent} }

// Status describes a Reflector at one moment.
type Status struct {
	Phase Phase
	// Since is when the phase began; zero while it is the first.
	Since time.Time
	// Synced says that a list was complete at some time; what it held is served
	// whatever the phase is now.
	Synced bool
	// Err is why the last request failed; nil when it did not.
	Err error
	// LastEvent is when the API server last sent something: the end of a list, or
	// something of a watch.
	LastEvent time.Time
}

// Status returns the Reflector's status.
func (r *Reflector) Status() Status {
	r.status.mu.Lock()
	defer r.status.mu.Unlock()
	st := r.status.status
	if st.Phase == "" {
		st.Phase = Pending
	}
	return st
}

// statusTracker keeps a Status, and what was last logged of it.
type statusTracker struct {
	mu     sync.Mutex
	status Status
	logged string
}

// recordResult notes the outcome of a request. It is logged when it is another
// than the one before.
func (s *statusTracker) recordResult(logger *slog.Logger, verb string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Err = err
	if err == nil {
		s.clearRefusal()
		s.logged = ""
		return
	}
	what := "the API server can't be read; it is tried again"
	switch {
	case apierrors.IsForbidden(err):
		s.enter(Forbidden)
		what = "not allowed to read the resource; its metrics are missing until that changes"
	case apierrors.IsNotFound(err):
		s.enter(Absent)
		what = "the API server does not have the resource; its metrics are missing until it does"
	case apierrors.IsNotAcceptable(err), errors.Is(err, wire.ErrForm):
		s.enter(Absent)
		what = "the API server can't send the resource in the form that is asked for; its metrics are missing until it can"
	default:
		s.clearRefusal()
	}
	if key := what + string(apierrors.ReasonForError(err)); key != s.logged {
		s.logged = key
		logger.Warn(what, "verb", verb, "err", err)
	}
}

// clearRefusal ends a refusal: what was refused may be on its way now, and must be waited for again.
func (s *statusTracker) clearRefusal() {
	if s.status.Phase == Forbidden || s.status.Phase == Absent {
		s.enter(Pending)
	}
}

// enter changes the phase.
func (s *statusTracker) enter(p Phase) {
	if s.status.Phase != p {
		s.status.Phase, s.status.Since = p, time.Now()
	}
}

// synced notes that a list was complete.
func (s *statusTracker) synced(logger *slog.Logger, objects int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status.Phase != Synced {
		logger.Info("synced", "objects", objects)
	}
	s.enter(Synced)
	s.status.Synced, s.status.LastEvent = true, time.Now()
}

// contact notes that the API server has sent something.
func (s *statusTracker) contact() {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.LastEvent = now
}
