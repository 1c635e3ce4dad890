package replica

import (
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/statefleet/statefleet/store"
	"github.com/statefleet/statefleet/watch"
)

// names say which object of a kind has a name now. When one is deleted and another
// created under its name, the new one may be heard of first: from a list, which tells
// of deletions only at its end, or while the deleted one is still held. Both would
// have the same series in all families without a uid label, so the new one takes the
// place of the old. Names are kept as hashes.
type names struct {
	mu     sync.Mutex
	byHash map[uint64]store.ID
}

func nameHash(o watch.Object) uint64 {
	var stack [512]byte
	return xxhash.Sum64(append(append(append(stack[:0], o.Namespace...), '/'), o.Name...))
}

// claim gives an object its name, and removes the one that had it. It reports false
// when that one is the newer of the two.
func (k *kind) claim(o watch.Object, id store.ID, version uint64) bool {
	key := nameHash(o)
	k.names.mu.Lock()
	defer k.names.mu.Unlock()
	if old, known := k.names.byHash[key]; known && old != id {
		if k.store.Has(old, version) {
			return false
		}
		k.store.Delete(old)
	}
	if k.names.byHash == nil {
		k.names.byHash = map[uint64]store.ID{}
	}
	k.names.byHash[key] = id
	return true
}

// disclaim takes the name back.
func (k *kind) disclaim(o watch.Object, id store.ID) {
	key := nameHash(o)
	k.names.mu.Lock()
	defer k.names.mu.Unlock()
	if k.names.byHash[key] == id {
		delete(k.names.byHash, key)
	}
}

// spareNames is how many names of objects that are gone are put up with.
const spareNames = 1024

// forget drops the names of objects that went without a word: with a list, or with a
// change of shard.
func (k *kind) forget() {
	s := k.store.Stats()
	held := s.Objects + s.Hidden
	k.names.mu.Lock()
	defer k.names.mu.Unlock()
	if len(k.names.byHash) <= held+held/4+spareNames {
		return
	}
	for key, id := range k.names.byHash {
		if !k.store.Known(id) {
			delete(k.names.byHash, key)
		}
	}
}

// expire leaves a deleted object on the page for the time of --metric.hold-deleted.
func (k *kind) expire(id store.ID) { k.store.Expire(id, time.Now().Add(k.hold)) }
