package replica

import (
	"context"
	"slices"

	"github.com/statefleet/statefleet/internal/watch"
)

// requestRelist asks the loop to list a kind again. It returns early when ctx ends.
func (r *Replica) requestRelist(ctx context.Context, k *kind) {
	select {
	case r.relistRequests <- k:
	case <-ctx.Done():
	}
}

// relist lists a kind again.
func (r *Replica) relist(ctx context.Context, k *kind) {
	if slices.Contains(r.current(), k) {
		r.startReflectors(ctx, k, false) // a stale list might repair nothing
	}
}

// relistAll lists all kinds again.
func (r *Replica) relistAll(ctx context.Context) {
	for _, k := range r.current() {
		r.startReflectors(ctx, k, false)
	}
}

// relistNamespaced lists the namespaced kinds again after a change of the selected namespaces. Held
// objects are not decoded again. Objects of other namespaces are removed when the list is complete.
// It leaves out kinds that are being listed, and returns false if there are any: a list would never
// be complete if namespaces changed more often than it takes.
func (r *Replica) relistNamespaced(ctx context.Context) (all bool) {
	if r.Idle() {
		return true
	}
	all = true
	relisted := 0
	_, changes := r.namespaceSet.list()
	for _, k := range r.current() {
		switch {
		case !k.Namespaced || k.listedNamespaces() == changes:
		case k.status().Phase == watch.Pending:
			all = false
		default:
			r.startReflectors(ctx, k, r.options.UseAPIServerCache)
			relisted++
		}
	}
	if relisted > 0 {
		r.logger.Info("the selected namespaces have changed; relisting namespaced resources", "resources", relisted)
	}
	return all
}

// replaceKinds starts the kinds that are new and stops those that are no longer wanted.
func (r *Replica) replaceKinds(ctx context.Context, s reshardState, wanted []Kind) reshardState {
	obsolete := map[string]*kind{}
	for _, k := range r.current() {
		obsolete[k.Name] = k
	}
	var kinds, added []*kind
	for _, w := range wanted {
		if k, ok := obsolete[w.Name]; ok && k.Resource == w.Resource && k.Renderer == w.Renderer {
			delete(obsolete, w.Name)
			kinds = append(kinds, k)
			continue
		}
		k := r.newKind(w)
		k.exempt = r.isReady()
		s.partition(k)
		kinds, added = append(kinds, k), append(added, k)
	}
	r.mu.Lock()
	r.kinds = kinds
	r.mu.Unlock()
	for _, k := range obsolete {
		r.logger.Info("no longer watching the resource", "resource", k.Name)
		k.stop()
		k.store.Abandon()
	}
	for _, k := range added {
		r.startReflectors(ctx, k, r.options.UseAPIServerCache)
	}
	if !r.isReady() && len(added) > 0 {
		s.synced = nil // readiness waits for the added kinds, too
		r.progress.Store(new(progress))
	}
	return s
}
