package objects

import (
	"context"
	"maps"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// State is what a [Watcher] knows at one moment.
type State[T Object] struct {
	// Objects are the objects by name; nil before the first list. Neither the map nor the objects
	// are modified.
	Objects map[string]T
	// ListedAt is when the last complete list began.
	ListedAt time.Time
	// LastContact is the time of the last message from the API server, bookmarks included.
	LastContact time.Time
	// DeniedSince and DeniedUntil are when RBAC denied a list or a watch first and last; zero while both
	// are allowed.
	DeniedSince, DeniedUntil time.Time
	// Rewinds counts how often a resourceVersion went back, as after a restore of etcd. Lists from a
	// cache can go back without one.
	Rewinds int
}

// State returns the current state. It is safe for concurrent use.
func (w *Watcher[T]) State() State[T] {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

// change edits the state after a message from the API server.
func (w *Watcher[T]) change(edit func(*State[T])) {
	w.mu.Lock()
	w.state.LastContact = time.Now()
	edit(&w.state)
	now := w.state
	w.mu.Unlock()
	w.Changed(now)
}

// put adds or replaces an object.
func (s *State[T]) put(object T) {
	next := maps.Clone(s.Objects)
	if next == nil {
		next = map[string]T{}
	}
	next[object.GetName()] = object
	s.Objects = next
}

// remove removes an object.
func (s *State[T]) remove(name string) {
	next := maps.Clone(s.Objects)
	delete(next, name)
	s.Objects = next
}

// accept returns the object to hold after an answer from the API server. before has the objects that
// were held when the request began; nil for an event. The answer is at least as new as these. If its
// resourceVersion is lower nevertheless, etcd was restored from a backup, and the answer is held. An
// object that arrived during the request may be newer than the answer.
func (s *State[T]) accept(answer T, before map[string]T) (held T, rewound bool) {
	name := answer.GetName()
	if was, ok := before[name]; ok && older(answer, was) {
		s.Rewinds++
		return answer, true
	}
	if now, ok := s.Objects[name]; ok && older(answer, now) {
		return now, false
	}
	return answer, false
}

// older compares resourceVersions of one object. Versions that are not numbers are never older.
func older[T Object](a, b T) bool {
	x, errA := strconv.ParseUint(a.GetResourceVersion(), 10, 64)
	y, errB := strconv.ParseUint(b.GetResourceVersion(), 10, 64)
	return a.GetUID() == b.GetUID() && errA == nil && errB == nil && x < y
}

// Send sends a read or a write of one object without the watch, and accepts the object that the API
// server answers with. So a read notices changes that a broken watch does not deliver.
func (w *Watcher[T]) Send(ctx context.Context, name string, request func(ctx context.Context) (T, error)) error {
	before := w.State().Objects
	answer, err := request(ctx)
	switch {
	case err == nil:
		rewound := false
		w.change(func(s *State[T]) {
			var held T
			held, rewound = s.accept(answer, before)
			s.put(held)
		})
		if rewound {
			w.Relist() // a watch from a future version would stay silent until then
		}
	case apierrors.IsNotFound(err):
		w.change(func(s *State[T]) { s.remove(name) })
		w.Relist() // a watch that has not delivered the deletion would not deliver the next object either
	}
	return err
}
