package customresource

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/statefleet/statefleet/internal/watch"
)

// definitions is the watch.Handler of the CustomResourceDefinitions.
type definitions struct {
	logger *slog.Logger

	mu     sync.Mutex
	byName map[string]Definition // by the object's name
	now    definitionsState
}

// definitionsState describes the changes of the definitions.
type definitionsState struct {
	generation  uint64    // counts changes
	first, last time.Time // of the changes since the last snapshot; zero for none
}

func newDefinitions(logger *slog.Logger) *definitions {
	return &definitions{logger: logger, byName: map[string]Definition{}}
}

// Owns implements watch.Handler.
func (s *definitions) Owns(uint64, []byte) bool { return true }

// Put implements watch.Handler.
func (s *definitions) Put(o watch.Object) (accepted bool) {
	d, err := ReadDefinition(o.Encoding, o.Raw)
	name := string(o.Name)
	s.mu.Lock()
	defer s.mu.Unlock()
	before, known := s.byName[name]
	switch {
	case err != nil:
		s.logger.Warn("a custom resource definition is unreadable and left out", "name", name, "err", err)
		s.remove(name)
	case !known || !before.equal(d):
		s.byName[name] = d
		s.changed()
	}
	return true
}

// Delete implements watch.Handler.
func (s *definitions) Delete(o watch.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(string(o.Name))
}

// Replace implements watch.Handler.
func (s *definitions) Replace(all []watch.ObjectRef, _ string) {
	listed := make(map[string]bool, len(all))
	for _, ref := range all {
		listed[ref.Name] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.byName {
		if !listed[name] {
			s.remove(name)
		}
	}
}

func (s *definitions) remove(name string) {
	if _, known := s.byName[name]; known {
		delete(s.byName, name)
		s.changed()
	}
}

func (s *definitions) changed() {
	s.now.generation++
	s.now.last = time.Now()
	if s.now.first.IsZero() {
		s.now.first = s.now.last
	}
}

func (s *definitions) state() definitionsState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// snapshot returns the definitions, sorted by group and plural, and their generation.
func (s *definitions) snapshot() ([]Definition, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = definitionsState{generation: s.now.generation}
	return slices.SortedFunc(maps.Values(s.byName), func(a, b Definition) int {
		return strings.Compare(a.Group+" "+a.Plural, b.Group+" "+b.Plural)
	}), s.now.generation
}
