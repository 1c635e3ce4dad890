package replica

import (
	"context"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/statefleet/statefleet/internal/watch"
	"github.com/statefleet/statefleet/internal/watch/verify"
)

// namespaceSet is the set of namespaces that a label selector selects now. It is
// the Handler of a Reflector of its own, which is checked apart from those of the kinds.
type namespaceSet struct {
	source  *verify.Set
	changed latest[struct{}]

	mu    sync.RWMutex
	names map[string]bool
}

// selectNamespaces makes the selection that the options ask for; nil when all
// namespaces, or a fixed list of them, are followed.
func (r *Replica) selectNamespaces() *namespaceSet {
	if r.options.NamespaceSelector == nil {
		return nil
	}
	s := &namespaceSet{changed: newLatest[struct{}](), names: map[string]bool{}}
	s.source = verify.NewSet(r.options.Verifier, watch.Options{
		Client:         r.client,
		Resource:       corev1.SchemeGroupVersion.WithResource("namespaces"),
		Name:           "namespaces-selector",
		LabelSelector:  r.options.NamespaceSelector.String(),
		AllowStaleList: r.options.UseAPIServerCache,
		Selector:       func() string { return "" },
		Handler:        s,
		Metrics:        r.options.Metrics.watch,
		Logger:         r.logger,
	}, r.Idle)
	return s
}

// contains reports whether objects of the namespace are followed.
func (s *namespaceSet) contains(namespace []byte) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.names[string(namespace)]
}

// wait waits until the selection is known; false when ctx ended before.
func (s *namespaceSet) wait(ctx context.Context) bool {
	poll := time.NewTicker(syncPoll)
	defer poll.Stop()
	for !s.source.Status().Synced {
		select {
		case <-ctx.Done():
			return false
		case <-poll.C:
		}
	}
	select {
	case <-s.changed: // nothing was listed before
	default:
	}
	return true
}

// Owns implements watch.Handler.
func (s *namespaceSet) Owns(uint64, []byte) bool { return true }

// Put implements watch.Handler.
func (s *namespaceSet) Put(o watch.Object) (room bool) {
	s.set(string(o.Name), true)
	return true
}

// Delete implements watch.Handler. A namespace whose labels no longer match is
// deleted for a watch with a label selector.
func (s *namespaceSet) Delete(o watch.Object) { s.set(string(o.Name), false) }

func (s *namespaceSet) set(name string, selected bool) {
	s.mu.Lock()
	before := s.names[name]
	if selected {
		s.names[name] = true
	} else {
		delete(s.names, name)
	}
	s.mu.Unlock()
	if before != selected {
		s.changed.put(struct{}{})
	}
}

// Replace implements watch.Handler.
func (s *namespaceSet) Replace(all []watch.ObjectRef, _ string) {
	listed := make(map[string]bool, len(all))
	for _, h := range all {
		listed[h.Name] = true
	}
	s.mu.Lock()
	before := len(s.names)
	maps.DeleteFunc(s.names, func(name string, _ bool) bool { return !listed[name] })
	fewer := len(s.names) < before
	s.mu.Unlock()
	if fewer {
		s.changed.put(struct{}{})
	}
}
