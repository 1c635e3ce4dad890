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
	taken  bool // nothing has changed since take
}

// definitionsState says how new the definitions are.
type definitionsState struct {
	generation  uint64    // counts changes
	first, last time.Time // of the changes since take
}

func newDefinitions(logger *slog.Logger) *definitions {
	return &definitions{logger: logger, byName: map[string]Definition{}, taken: true}
}

// Owns implements watch.Handler.
func (s *definitions) Owns(uint64, []byte) bool { return true }

// Put implements watch.Handler.
func (s *definitions) Put(o watch.Object) (room bool) {
	d, err := readDefinition(o.Encoding, o.Raw)
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
	for _, h := range all {
		listed[h.Name] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Collect(maps.Keys(s.byName)) {
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
	now := time.Now()
	if s.taken {
		s.taken, s.now.first = false, now
	}
	s.now.last = now
	s.now.generation++
}

func (s *definitions) state() definitionsState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// take returns the definitions in the order of group and plural, and which
// state of them that is.
func (s *definitions) take() ([]Definition, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken = true
	all := slices.SortedFunc(maps.Values(s.byName), func(a, b Definition) int {
		return strings.Compare(a.Group+" "+a.Plural, b.Group+" "+b.Plural)
	})
	return all, s.now.generation
}
