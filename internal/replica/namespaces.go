package replica

import (
	"context"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/statefleet/statefleet/shard"
	"github.com/statefleet/statefleet/watch"
)

// selection is the set of namespaces that a label selector selects now. It is
// the Sink of a Source of its own.
type selection struct {
	source  *watch.Source
	changed latest[struct{}]

	mu    sync.RWMutex
	names map[string]bool
}

// selectNamespaces makes the selection that the options ask for; nil when all
// namespaces, or a fixed list of them, are followed.
func (r *Replica) selectNamespaces() *selection {
	if r.options.NamespaceSelector == nil {
		return nil
	}
	s := &selection{changed: newLatest[struct{}](), names: map[string]bool{}}
	s.source = watch.NewSource(watch.Options{
		Client:        r.client,
		Resource:      corev1.SchemeGroupVersion.WithResource("namespaces"),
		Name:          "namespaces-selector",
		LabelSelector: r.options.NamespaceSelector.String(),
		CachedReads:   r.options.UseAPIServerCache,
		Owned:         shard.All().Contains,
		Selector:      func() string { return "" },
		Sink:          s,
		Metrics:       r.options.Metrics.watch,
		Logger:        r.logger,
	})
	return s
}

// wants reports whether objects of the namespace are followed.
func (s *selection) wants(namespace []byte) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.names[string(namespace)]
}

// wait waits until the selection is known; false when ctx ended before.
func (s *selection) wait(ctx context.Context) bool {
	poll := time.NewTicker(syncPoll)
	defer poll.Stop()
	for !s.source.Status().Synced {
		select {
		case <-ctx.Done():
			return false
		case <-poll.C:
		}
	}
	return true
}

// Put implements watch.Sink.
func (s *selection) Put(o watch.Object) (room bool) {
	s.set(string(o.Name), true)
	return true
}

// Delete implements watch.Sink. A namespace whose labels no longer match is
// deleted for a watch with a label selector.
func (s *selection) Delete(o watch.Object) { s.set(string(o.Name), false) }

func (s *selection) set(name string, selected bool) {
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

// Retain implements watch.Sink.
func (s *selection) Retain(all []*watch.Handle, _ string) {
	names := make(map[string]bool, len(all))
	for _, h := range all {
		names[h.Name] = true
	}
	s.mu.Lock()
	same := maps.Equal(s.names, names)
	s.names = names
	s.mu.Unlock()
	if !same {
		s.changed.put(struct{}{})
	}
}

// checkSelection checks which namespaces are selected, once in a while, until ctx ends.
func (r *Replica) checkSelection(ctx context.Context) {
	s := r.selection
	for pause(ctx, r.options.CheckEvery) {
		if s.source.Status().Phase != watch.Synced {
			continue
		}
		result, wrong := s.check(ctx, r.options.CheckGrace)
		if ctx.Err() != nil {
			return
		}
		r.options.Metrics.checks.WithLabelValues(s.source.Name, result).Inc()
		if wrong > 0 {
			r.logger.Warn("the selected namespaces differed from what there is; that is put right", "namespaces", wrong)
		}
	}
}

// check compares the selected namespaces with a list of them, as check does for a
// kind, and puts right what is wrong for longer than an event may be on its way.
func (s *selection) check(ctx context.Context, grace time.Duration) (result string, wrong int) {
	first, err := s.compare(ctx)
	if err != nil {
		return checkFailed, 0
	}
	if len(first) == 0 {
		return checkEqual, 0
	}
	if !pause(ctx, grace) {
		return checkSkipped, 0
	}
	second, err := s.compare(ctx)
	if err != nil {
		return checkFailed, 0
	}
	for name, selected := range second {
		if before, known := first[name]; known && before == selected {
			s.set(name, selected)
			wrong++
		}
	}
	if wrong == 0 {
		return checkEqual, 0
	}
	return checkRepaired, wrong
}

// compare lists the namespaces, and returns which of them should be selected, and
// are not, or the other way round.
func (s *selection) compare(ctx context.Context) (wrong map[string]bool, err error) {
	listed := map[string]bool{}
	if _, err := s.source.Scan(ctx, func(o watch.Object) { listed[string(o.Name)] = true }); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	wrong = map[string]bool{}
	for name := range listed {
		if !s.names[name] {
			wrong[name] = true
		}
	}
	for name := range s.names {
		if !listed[name] {
			wrong[name] = false
		}
	}
	return wrong, nil
}
