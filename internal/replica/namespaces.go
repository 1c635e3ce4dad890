package replica

import (
	"context"
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/watch/verify"
)

// namespaceSet is the set of namespaces that a label selector selects now. It handles its own watch
// of namespaces, which is verified separately from those of the kinds.
type namespaceSet struct {
	watch   *verify.Set
	changed latest[struct{}]

	mu      sync.Mutex
	names   map[string]bool
	changes uint64 // of names
}

// newNamespaceSet returns the set of the options' namespace selector, or nil if there is none.
func (r *Replica) newNamespaceSet() *namespaceSet {
	if r.options.NamespaceSelector == nil {
		return nil
	}
	s := &namespaceSet{changed: newLatest[struct{}](), names: map[string]bool{}}
	s.watch = verify.NewSet(r.options.Verifier, watch.Options{
		Client:         r.client,
		Resource:       corev1.SchemeGroupVersion.WithResource("namespaces"),
		Name:           "namespaces-selector",
		LabelSelector:  r.options.NamespaceSelector.String(),
		AllowStaleList: r.options.UseAPIServerCache,
		Selector:       func() string { return "" },
		Backoff:        r.options.Backoff,
		Handler:        s,
		Metrics:        r.options.Metrics.watch,
		Logger:         r.logger,
	}, r.Idle)
	return s
}

// current returns the selected namespaces, and how often they have changed.
func (s *namespaceSet) current() (names map[string]bool, changes uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.names), s.changes
}

// list returns the selected namespaces, sorted, and how often they have changed.
func (s *namespaceSet) list() (names []string, changes uint64) {
	selected, changes := s.current()
	return slices.Sorted(maps.Keys(selected)), changes
}

// wait waits until the namespaces are listed. It returns false if ctx ends before.
func (s *namespaceSet) wait(ctx context.Context) bool {
	for !s.watch.Status().Synced {
		if !watch.Sleep(ctx, syncPoll) {
			return false
		}
	}
	select {
	case <-s.changed: // the first list changes nothing for the kinds, which have not been listed
	default:
	}
	return true
}

// Owns implements watch.Handler.
func (s *namespaceSet) Owns(uint64, []byte) bool { return true }

// Put implements watch.Handler.
func (s *namespaceSet) Put(o watch.Object) (accepted bool) {
	s.set(string(o.Name), true)
	return true
}

// Delete implements watch.Handler. A watch with a label selector also sends it for a namespace
// whose labels no longer match.
func (s *namespaceSet) Delete(o watch.Object) { s.set(string(o.Name), false) }

func (s *namespaceSet) set(name string, selected bool) {
	s.mu.Lock()
	before := s.names[name]
	if selected {
		s.names[name] = true
	} else {
		delete(s.names, name)
	}
	if before != selected {
		s.changes++
	}
	s.mu.Unlock()
	if before != selected {
		s.changed.put(struct{}{})
	}
}

// Replace implements watch.Handler.
func (s *namespaceSet) Replace(all []watch.ObjectRef, _ string) {
	listed := make(map[string]bool, len(all))
	for _, ref := range all {
		listed[ref.Name] = true
	}
	s.mu.Lock()
	before := len(s.names)
	maps.DeleteFunc(s.names, func(name string, _ bool) bool { return !listed[name] })
	fewer := len(s.names) < before
	if fewer {
		s.changes++
	}
	s.mu.Unlock()
	if fewer {
		s.changed.put(struct{}{})
	}
}
