package replica

import (
	"sync"
	"time"

	"github.com/statefleet/statefleet/store"
	"github.com/statefleet/statefleet/watch"
)

// departed are the deleted objects whose last state is still on the page, by
// namespace and name: an object of the same name that is created meanwhile has
// the same series for all families without a uid label, and takes their place.
type departed struct {
	mu     sync.Mutex
	byName map[string]store.ID
}

func nameOf(o watch.Object) string { return string(o.Namespace) + "/" + string(o.Name) }

// expire leaves a deleted object on the page until it was seen.
func (k *kind) expire(o watch.Object, id store.ID) {
	k.store.Expire(id, time.Now().Add(k.hold))
	if !k.store.Expiring(id) {
		return
	}
	k.departed.mu.Lock()
	defer k.departed.mu.Unlock()
	if k.departed.byName == nil {
		k.departed.byName = map[string]store.ID{}
	}
	k.departed.byName[nameOf(o)] = id
}

// displace removes the deleted object of the same name, if there is one.
func (k *kind) displace(o watch.Object, id store.ID) {
	if k.hold == 0 {
		return
	}
	k.departed.mu.Lock()
	defer k.departed.mu.Unlock()
	if old, ok := k.departed.byName[nameOf(o)]; ok && old != id {
		k.store.Delete(old)
		delete(k.departed.byName, nameOf(o))
	}
}

// forget drops the names of what has left the page.
func (k *kind) forget() {
	k.departed.mu.Lock()
	defer k.departed.mu.Unlock()
	for name, id := range k.departed.byName {
		if !k.store.Expiring(id) {
			delete(k.departed.byName, name)
		}
	}
}
