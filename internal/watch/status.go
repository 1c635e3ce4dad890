package watch

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/statefleet/statefleet/internal/watch/outage"
	"github.com/statefleet/statefleet/internal/wire"
)

// Phase is how far a Reflector has come.
type Phase string

// The phases. Forbidden and Absent resources are retried forever, and other resources are exported
// meanwhile.
const (
	Pending   Phase = "pending"   // no list was complete yet, or none since a refusal
	Synced    Phase = "synced"    // a list was complete, or a resumed watch has caught up, and is watched
	Forbidden Phase = "forbidden" // the API server refuses the list or watch
	Absent    Phase = "absent"    // the API server does not have the resource, or not in the requested form
)

// Phases returns all phases.
func Phases() []Phase { return []Phase{Pending, Synced, Forbidden, Absent} }

// Status describes a Reflector at one moment.
type Status struct {
	Phase Phase
	// Since is when the phase began; zero while it is the first.
	Since time.Time
	// Synced is true once a list was complete or a resumed watch has caught up. Its objects are served
	// in every later phase.
	Synced bool
	// Err is the error of the last request; nil if it succeeded.
	Err error
	// LastEvent is when the API server last completed a list or sent bytes of a watch.
	LastEvent time.Time
}

// Status returns the Reflector's status.
func (r *Reflector) Status() Status {
	r.status.mu.Lock()
	defer r.status.mu.Unlock()
	return r.status.status
}

// statusTracker keeps a Status and the last logged problem.
type statusTracker struct {
	mu     sync.Mutex
	status Status
	logged string
}

// recordResult records the outcome of a request, and logs it if it differs from the one before.
func (s *statusTracker) recordResult(logger *slog.Logger, verb string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Err = err
	if err == nil {
		s.clearRefusal()
		s.logged = ""
		return
	}
	phase, what := refusal(err)
	if phase == "" {
		what = "request to the API server failed; retrying"
		s.clearRefusal()
	} else {
		s.enter(phase)
	}
	if key := what + string(apierrors.ReasonForError(err)); key != s.logged {
		s.logged = key
		logger.Log(context.Background(), outage.Level(err), what, "verb", verb, "err", err)
	}
}

// opened records that the API server has answered a watch, or has begun to answer a list. Either may
// still fail, so the last logged problem is kept until it has ended: it is not logged again if it is
// the same.
func (s *statusTracker) opened() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Err = nil
	s.clearRefusal()
}

// refusal returns the phase of a resource that the API server refuses, and a text for people; "" for
// another error.
func refusal(err error) (phase Phase, text string) {
	switch {
	case apierrors.IsForbidden(err):
		return Forbidden, "not allowed to read the resource; until permission is granted, its metrics are missing or not updated"
	case apierrors.IsNotFound(err):
		return Absent, "the API server does not have the resource; until it does, its metrics are missing or not updated"
	case apierrors.IsNotAcceptable(err), errors.Is(err, wire.ErrForm):
		return Absent, "the API server cannot send the resource in the requested form; its metrics are missing until it can"
	}
	return "", ""
}

// clearRefusal ends a refusal. The resource may be complete soon, so readiness waits for it again.
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

// synced records a complete list, or that a watch has caught up. It logs that unless the phase was
// Synced before.
func (s *statusTracker) synced(logger *slog.Logger, message string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status.Phase != Synced {
		logger.Info(message, args...)
	}
	s.enter(Synced)
	s.status.Synced, s.status.LastEvent = true, time.Now()
}

// contact records that the API server has sent something.
func (s *statusTracker) contact() {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.LastEvent = now
}
