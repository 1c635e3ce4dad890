package replica

import (
	"time"

	"github.com/statefleet/statefleet/store"
)

// Snapshot returns a snapshot of the kinds that include selects. The error is that of Serves.
func (r *Replica) Snapshot(f store.Format, include func(resource string) bool) (*store.Snapshot, error) {
	if err := r.Serves(); err != nil {
		return nil, err
	}
	stores := r.visibleStores(include)
	if r.options.HoldDeleted > 0 {
		now := time.Now()
		for _, s := range stores {
			s.RemoveExpired(now)
		}
	}
	snapshot := store.TakeSnapshot(f, stores...)
	if err := r.Serves(); err != nil { // the replica may have hidden its objects meanwhile
		snapshot.Release()
		return nil, err
	}
	return snapshot, nil
}

// isHidden reports whether a kind is hidden as a whole. The mutex keeps it from reading hidden within show.
func (r *Replica) isHidden(k *kind) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return k.hidden.Load()
}

// visibleStores returns the stores of the selected kinds that are visible.
func (r *Replica) visibleStores(include func(resource string) bool) []*store.Store {
	r.mu.Lock()
	defer r.mu.Unlock()
	var stores []*store.Store
	for _, k := range r.kinds {
		if !k.hidden.Load() && include(k.Name) {
			stores = append(stores, k.store)
		}
	}
	return stores
}
