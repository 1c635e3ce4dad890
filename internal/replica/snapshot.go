package replica

import (
	"time"

	"github.com/statefleet/statefleet/store"
)

// Collect returns the page of the kinds that include admits, as it is now. The
// error says why there is none to be served.
func (r *Replica) Collect(f store.Format, include func(resource string) bool) (*store.Snapshot, error) {
	if err := r.Serves(); err != nil {
		return nil, err
	}
	stores := r.shownStores(include)
	if r.options.HoldDeleted > 0 {
		now := time.Now()
		for _, s := range stores {
			s.RemoveExpired(now)
		}
	}
	page := store.TakeSnapshot(f, stores...)
	if err := r.Serves(); err != nil { // it may have come to an end just before
		page.Release()
		return nil, err
	}
	return page, nil
}

func (r *Replica) shownStores(include func(resource string) bool) []*store.Store {
	r.mu.Lock()
	defer r.mu.Unlock()
	var stores []*store.Store
	for _, k := range r.kinds {
		if !k.warming && include(k.Name) {
			stores = append(stores, k.store)
		}
	}
	return stores
}
