package watch

import (
	"errors"
	"log/slog"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/statefleet/statefleet/internal/wire"
)

// Phase is how far a Source has come.
type Phase string

// The phases. Forbidden and Absent are retried for ever; they are no reason to
// withhold the metrics of other resources.
const (
	Pending   Phase = "pending"   // no list was complete yet, or none since a refusal
	Synced    Phase = "synced"    // a list was complete, and is followed
	Forbidden Phase = "forbidden" // the API server refuses the list or watch
	Absent    Phase = "absent"    // the API server does not have the resource, or not in the form that is asked for
)

// Phases returns all phases.
func Phases() []Phase { return []Phase{Pending, Synced, Forbidden, Absent} }

// Status describes a Source at one moment.
type Status struct {
	Phase Phase
	// Since is when the phase began; zero while it is the first.
	Since time.Time
	// Synced says that a list was complete at some time; what it held is served
	// whatever the phase is now.
	Synced bool
	// Err is why the last request failed; nil when it did not.
	Err error
	// LastEvent is when the API server was last heard of: the end of a list, or
	// something of a watch.
	LastEvent time.Time
}

// Status returns the Source's status. It may be called at any time.
func (s *Source) Status() Status {
	s.state.mu.Lock()
	defer s.state.mu.Unlock()
	st := s.state.status
	if st.Phase == "" {
		st.Phase = Pending
	}
	return st
}

// state is a Status under change, and what was last logged of it.
type state struct {
	mu     sync.Mutex
	status Status
	logged string
}

// answered notes the outcome of a request. It is logged when it is another
// than the one before.
func (s *state) answered(logger *slog.Logger, verb string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Err = err
	if err == nil {
		s.readable()
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
	case apierrors.IsInvalid(err) && verb == "watch":
		return // a server without streamed lists; the reflector lists instead
	default:
		s.readable()
	}
	if key := what + string(apierrors.ReasonForError(err)); key != s.logged {
		s.logged = key
		logger.Warn(what, "verb", verb, "err", err)
	}
}

// readable ends a refusal: what was refused may be on its way now, and is to be waited for again.
func (s *state) readable() {
	if s.status.Phase == Forbidden || s.status.Phase == Absent {
		s.enter(Pending)
	}
}

// enter changes the phase.
func (s *state) enter(p Phase) {
	if s.status.Phase != p {
		s.status.Phase, s.status.Since = p, time.Now()
	}
}

// synced notes that a list was complete.
func (s *state) synced(logger *slog.Logger, objects int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status.Phase != Synced {
		logger.Info("synced", "objects", objects)
	}
	s.enter(Synced)
	s.status.Synced, s.status.LastEvent = true, time.Now()
}

// heard notes that the API server was heard of.
func (s *state) heard() {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.LastEvent = now
}
